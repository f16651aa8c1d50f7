-- What the database writes down of itself, in the transactions that do it. Every session says who it is by the
-- setting faults.who.
create schema faults;

-- Effects of jobs. No unique key: a second effect must show, not be refused.
create table faults.ledger (
    key   text not null,
    job   uuid not null,
    token uuid not null,
    at    timestamptz not null default clock_timestamp()
);
-- The same with a key, for handlers that answer after their own transaction and so may run twice.
create table faults.once (
    key text primary key,
    job uuid not null
);

create table faults.change (
    seq         bigserial primary key,
    at          timestamptz not null default clock_timestamp(),
    who         text,
    job         uuid not null,
    old_state   text, new_state   text,
    old_token   uuid, new_token   uuid,
    old_lease   timestamptz, new_lease timestamptz,
    old_attempt integer, new_attempt integer,
    old_crashes integer, new_crashes integer,
    run_no      integer not null,
    max_attempts integer not null,
    max_crashes integer not null,
    cancel_requested boolean not null
);

-- The row lock of the job is held here, so that the numbers of one job are in the order of what happened to it.
create function faults.note_change() returns trigger language plpgsql as $$
declare
    o queue.job;
    n queue.job;
    r queue.job;
begin
    if tg_op <> 'INSERT' then
        o := old;
        r := old;
    end if;
    if tg_op <> 'DELETE' then
        n := new;
        r := new;
    end if;
    insert into faults.change (who, job, old_state, new_state, old_token, new_token, old_lease, new_lease, old_attempt,
                               new_attempt, old_crashes, new_crashes, run_no, max_attempts, max_crashes,
                               cancel_requested)
    values (current_setting('faults.who', true), r.id, o.state, n.state, o.token, n.token, o.lease_until, n.lease_until,
            o.attempt, n.attempt, o.crash_count, n.crash_count, r.run_no, r.max_attempts, r.max_crashes,
            r.cancel_requested_at is not null);
    return null;
end $$;
create trigger note_change after insert or update or delete on queue.job
    for each row execute function faults.note_change();

create table faults.ending (
    seq   bigserial primary key,
    at    timestamptz not null default clock_timestamp(),
    op    text not null,
    job   uuid not null,
    state text not null,
    token uuid
);
create function faults.note_ending() returns trigger language plpgsql as $$
declare
    r queue.history;
begin
    if tg_op = 'DELETE' then
        r := old;
    else
        r := new;
    end if;
    insert into faults.ending (op, job, state, token) values (tg_op, r.id, r.state, r.token);
    return null;
end $$;
create trigger note_ending after insert or update or delete on queue.history
    for each row execute function faults.note_ending();

-- For the driver, to see how long a commit takes.
create table faults.pulse (at timestamptz not null);
insert into faults.pulse values (now());

-- Errors that a busy server makes: with this chance (of 1), a change by a worker fails with the given code.
create table faults.chance (code text not null, chance double precision not null);
create function faults.fail_sometimes() returns trigger language plpgsql as $$
declare
    c record;
begin
    if current_setting('faults.who', true) is not null then
        for c in select code, chance from faults.chance loop
            if random() < c.chance then
                raise exception using errcode = c.code, message = 'injected';
            end if;
        end loop;
    end if;
    return null;
end $$;
create trigger fail_sometimes before insert or update or delete on queue.job
    for each statement execute function faults.fail_sometimes();
