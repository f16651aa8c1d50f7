-- How often all links by which the account changes hands were ended: at a reset, and at every change of password or
-- address. A mail that was asked for before must not bring another such link afterwards, however late it is written, so
-- the mail says at which count it was asked for. A counter and not a time: what is decided by a time of a transaction that
-- began earlier or later than another is decided wrongly now and then.
alter table users add column links_ended integer not null default 0;
