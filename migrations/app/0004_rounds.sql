-- A video that failed goes on from the failed step: the same generation, what is stored stays, and the jobs of what is
-- missing are enqueued anew. The round counts these tries. It is part of the keys that a run writes (run numbers begin
-- anew with new jobs), and it tells a late failure of an earlier round from one of this.
alter table videos add column round smallint not null default 1;
