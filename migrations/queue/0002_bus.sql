-- The message bus: ordered topics over plain tables. NOTIFY only says "look"; these rows are the truth.
--
-- No global cursor: a bigserial loses events when transactions commit out of order. Each topic has its own
-- sequence, taken by a row lock at the end of the publishing transaction, so that numbers are contiguous and in
-- commit order. A topic row that was pruned or restored comes back with another epoch, and a client that
-- resumes with the old one gets a snapshot instead of a wrong "nothing missed".
create schema if not exists bus;

create table bus.topic (
    name       text primary key,
    epoch      bigint not null default (extract(epoch from clock_timestamp()) * 1000000)::bigint,
    seq        bigint not null,
    updated_at timestamptz not null default now()
) with (fillfactor = 70); -- updated in place on every event; room on the page keeps the updates HOT

create table bus.event (
    topic      text        not null,
    seq        bigint      not null,
    data       jsonb       not null,
    created_at timestamptz not null default now(),
    primary key (topic, seq)
);
-- For the sweep of old events only. BRIN: rows arrive in time order, and a b-tree would cost every insert.
create index event_created on bus.event using brin (created_at);
