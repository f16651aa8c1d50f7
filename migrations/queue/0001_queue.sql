-- The job engine. Live jobs are in a small hot table, finished ones in history by day; the shape of the hot table
-- decides the speed of everything (drain measured at 92-108 k jobs/s with delete from hot + insert into history,
-- no slower than updating in place, and then neither a backlog nor ten million finished jobs slows a claim).
--
-- The lifecycle is in functions here, not in Rust, so that a run, the rescue of a dead worker, the command line and
-- a bulk action end a job in the same way. Lock order everywhere: jobs (by id), then application rows, then topics.
create schema if not exists queue;

create type queue.state as enum (
    'waiting',     -- for jobs it depends on
    'scheduled',   -- for its time
    'available',   -- ready to be claimed
    'running',     -- claimed, under a lease
    'retryable',   -- failed, waiting for its next attempt
    'completed', 'cancelled',
    'discarded',   -- attempts spent, or failed for good
    'quarantined'  -- crashed its worker too often
);

-- Live jobs.
create table queue.job (
    -- UUIDv7 made by the client, so that a graph of jobs can be wired before anything is inserted.
    id           uuid primary key,
    kind         text not null,
    queue        text not null,
    state        queue.state not null,
    priority     smallint not null default 0, -- smaller runs first
    run_at       timestamptz not null default now(),
    args         jsonb not null,
    -- How many unfinished parents a waiting job has.
    pending      integer not null default 0,

    -- `attempt` is charged at claim, and given back by a snooze or a shutdown. `crash_count` counts leases that
    -- ended without an answer, so that a poison pill is told from an unlucky job. `run_no` counts claims and never
    -- decreases: it names paths and tokens, and no two runs of a job share one.
    attempt      integer not null default 0,
    max_attempts integer not null,
    crash_count  integer not null default 0,
    max_crashes  integer not null,
    run_no       integer not null default 0,

    -- Who may write. Every write of a worker carries the token of its claim; zero rows means that the lease is lost.
    token        uuid,
    lease_until  timestamptz,
    worker_id    uuid,
    started_at   timestamptz,

    timeout_ms   bigint not null,
    backoff      jsonb not null,

    owner        uuid,
    limit_key    text,
    group_id     uuid,
    unique_key   text,
    on_failure   jsonb, -- a job to insert when this one ends unhappily, whoever ended it
    checkpoint   jsonb,
    meta         jsonb not null default '{}',
    tags         text[] not null default '{}',
    traceparent  text,

    errors       jsonb not null default '[]', -- one entry per failed run, capped by queue.add_error
    result       jsonb,
    cancel_requested_at timestamptz,
    cancel_reason text,
    created_at   timestamptz not null default now(),

    constraint job_running_has_lease check ((state = 'running') = (token is not null)),
    constraint job_waiting_has_parents check ((state = 'waiting') = (pending > 0))
) with (
    -- Rows live for seconds. The defaults (20 % dead rows) let a long backlog rot before vacuum looks.
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0
);

-- Few indexes: two to four more cost 31-34 % of the drain.
create index job_ready on queue.job (queue, priority, run_at, id) where state = 'available';
create index job_due on queue.job (run_at) where state in ('scheduled', 'retryable');
-- On the worker and not on lease_until: renewals change lease_until, and an index on it would make each of them
-- write every index. The rescue scans the running rows, which are never more than the slots of all workers.
create index job_running on queue.job (worker_id) where state = 'running';
create index job_group on queue.job (group_id) where group_id is not null;

-- Finished jobs, dropped by day. The token of the last run stays: a worker that lost the answer of its commit
-- reads here how it ended.
create table queue.history (
    id           uuid not null,
    kind         text not null,
    queue        text not null,
    state        queue.state not null,
    priority     smallint not null,
    run_at       timestamptz not null,
    args         jsonb not null,
    attempt      integer not null,
    max_attempts integer not null,
    crash_count  integer not null,
    max_crashes  integer not null,
    run_no       integer not null,
    token        uuid,
    worker_id    uuid,
    started_at   timestamptz,
    timeout_ms   bigint not null,
    backoff      jsonb not null,
    owner        uuid,
    limit_key    text,
    group_id     uuid,
    unique_key   text,
    on_failure   jsonb,
    checkpoint   jsonb,
    meta         jsonb not null,
    tags         text[] not null,
    traceparent  text,
    errors       jsonb not null,
    result       jsonb,
    cancel_requested_at timestamptz,
    cancel_reason text,
    created_at   timestamptz not null,
    code         text, -- why it ended unhappily, a stable word
    reason       text, -- the same for people
    finished_at  timestamptz not null default clock_timestamp(),
    primary key (id, finished_at)
) partition by range (finished_at);

create index history_group on queue.history (group_id) where group_id is not null;

-- An ending may never fail because a partition is missing.
create table queue.history_default partition of queue.history default;

-- Keys of unique jobs, in a table of their own since no index spans hot and history. Released at the end of the
-- job, or by time alone when expires_at is set.
create table queue.unique_key (
    key        text primary key,
    job_id     uuid not null,
    expires_at timestamptz
);
create index unique_key_job on queue.unique_key (job_id);

-- Unmet dependencies. No foreign keys: parents move to history, and every write here is made by the functions below.
create table queue.dependency (
    child  uuid not null,
    parent uuid not null,
    ignore boolean not null default false, -- run whatever the parent's outcome
    primary key (child, parent)
);
create index dependency_parent on queue.dependency (parent);

-- The policy of each kind, written by workers when they start, so that SQL, CLI and dashboard can enqueue and explain.
create table queue.kind (
    kind         text primary key,
    queue        text not null,
    aliases      text[] not null default '{}',
    priority     smallint not null,
    max_attempts integer not null,
    max_crashes  integer not null,
    timeout_ms   bigint not null,
    backoff      jsonb not null,
    updated_at   timestamptz not null default now()
);

-- Only queues about which somebody decided something have a row.
create table queue.queue (
    name      text primary key,
    paused_at timestamptz,
    paused_by text,
    note      text
);

-- One row per process and start: a name that comes back after a crash must not hide the orphans of its former self.
create table queue.worker (
    id           uuid primary key,
    name         text not null,
    version      text not null,
    queues       jsonb not null, -- {"media": 2, "default": 8}
    kinds        text[] not null,
    slots        integer not null,
    running      integer not null default 0,
    started_at   timestamptz not null default now(),
    heartbeat_at timestamptz not null default now(),
    draining     boolean not null default false
) with (fillfactor = 70);

-- Schedules. The unique tick makes any number of workers fire once.
create table queue.schedule (
    name       text primary key,
    kind       text not null,
    args       jsonb not null default '{}',
    queue      text not null,
    cron       text not null,
    zone       text not null default 'UTC',
    catch_up   text not null default 'last' check (catch_up in ('none', 'last', 'all')),
    enabled    boolean not null default true,
    next_at    timestamptz,
    updated_at timestamptz not null default now()
);
create table queue.schedule_tick (
    schedule text not null references queue.schedule (name) on delete cascade,
    tick_at  timestamptz not null,
    job_id   uuid not null,
    fired_at timestamptz not null default now(),
    primary key (schedule, tick_at)
);

-- The last progress of running jobs: latest wins, unlogged (a crash of the server costs a percentage), updated in
-- place. Rows of finished jobs are swept by the maintenance.
create unlogged table queue.progress (
    job_id     uuid primary key,
    group_id   uuid,
    run_no     integer not null,
    n          bigint not null,
    percent    real not null,
    stage      text not null,
    updated_at timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
create index progress_group on queue.progress (group_id) where group_id is not null;

create function queue.uuid7() returns uuid language sql volatile parallel safe as $$
    select encode(set_bit(set_bit(
        overlay(uuid_send(gen_random_uuid())
                placing substring(int8send(floor(extract(epoch from clock_timestamp()) * 1000)::bigint) from 3)
                from 1 for 6),
        52, 1), 53, 1), 'hex')::uuid
$$;

-- Keeps the first error (often the cause) and the last nineteen. Times are the database's.
create function queue.add_error(errors jsonb, entry jsonb) returns jsonb language sql volatile parallel safe as $$
    select case when entry is null then errors
                else case when jsonb_array_length(errors) >= 20 then errors - 1 else errors end
                     || jsonb_build_array(jsonb_build_object('at', clock_timestamp()) || entry) end
$$;

-- Takes free unique keys (or expired ones). Returns those it got; who got nothing looks up the holder.
create function queue.take_keys(in_keys text[], in_jobs uuid[], in_ttls_ms bigint[])
returns setof text language sql as $$
    insert into queue.unique_key as u (key, job_id, expires_at)
    select key, job, clock_timestamp() + ttl * interval '1 millisecond'
      from unnest(in_keys, in_jobs, in_ttls_ms) as k(key, job, ttl)
     order by key
    on conflict (key) do update set job_id = excluded.job_id, expires_at = excluded.expires_at
      where u.expires_at <= clock_timestamp()
    returning key
$$;

-- Inserts jobs that the engine makes itself (on_failure, schedules) from their JSON form. Returns queues to wake.
create function queue.insert_specs(in_specs jsonb) returns setof text language plpgsql as $$
declare
    v_spec jsonb;
    v_id   uuid;
begin
    for v_spec in
        select s from jsonb_array_elements(in_specs) as e(s) order by s ->> 'unique_key' nulls first
    loop
        v_id := queue.uuid7();
        if v_spec ->> 'unique_key' is not null then
            perform queue.take_keys(array[v_spec ->> 'unique_key'], array[v_id],
                                    array[(v_spec ->> 'unique_ttl_ms')::bigint]);
            continue when not found;
        end if;
        insert into queue.job (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, timeout_ms,
                               backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent)
        select v_id, v_spec ->> 'kind', v_spec ->> 'queue',
               case when coalesce((v_spec ->> 'delay_ms')::bigint, 0) > 0 then 'scheduled'::queue.state else 'available' end,
               (v_spec ->> 'priority')::smallint,
               clock_timestamp() + coalesce((v_spec ->> 'delay_ms')::bigint, 0) * interval '1 millisecond',
               v_spec -> 'args', (v_spec ->> 'max_attempts')::integer, (v_spec ->> 'max_crashes')::integer,
               (v_spec ->> 'timeout_ms')::bigint, v_spec -> 'backoff', (v_spec ->> 'owner')::uuid,
               v_spec ->> 'limit_key', (v_spec ->> 'group_id')::uuid, v_spec ->> 'unique_key',
               nullif(v_spec -> 'on_failure', 'null'), coalesce(nullif(v_spec -> 'meta', 'null'), '{}'),
               coalesce((select array_agg(t) from jsonb_array_elements_text(nullif(v_spec -> 'tags', 'null')) t), '{}'),
               v_spec ->> 'traceparent';
        return next case when coalesce((v_spec ->> 'delay_ms')::bigint, 0) > 0 then '' else v_spec ->> 'queue' end;
    end loop;
end $$;

-- Ends jobs: the only place where a job leaves the hot table.
--
-- Accepts an ending when the row still carries the given token (null for a job that nobody runs); a zombie's answer
-- changes nothing. Then, each in a statement of its own and so with a fresh snapshot: unique keys are released,
-- on_failure jobs inserted, and dependants resolved. A child that was being inserted held its parents `for key
-- share`, so the delete waited for it and the next statement sees its dependency rows.
-- Children are locked in id order. Two endings that reach the same two children over different levels of a graph
-- can still deadlock; one of them is then retried by its caller.
--
-- Returns one row per accepted id of the input (`ended`), and one per queue to wake (`wake`). The empty name stands for
-- the clock: something is scheduled for soon, and claimers should look up when. Here and in all functions below.
--
-- Scans, hash and merge joins are off: a generic plan made while the table was small would scan it for ever after
-- (16.6 k against 64 k jobs/s at batches of 100).
create function queue.end_jobs(
    in_ids uuid[], in_tokens uuid[], in_states queue.state[], in_codes text[], in_reasons text[],
    in_results jsonb[], in_errors jsonb[]
) returns table (ended uuid, wake text) language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_first    boolean := true;
    v_ids      uuid[];
    v_states   queue.state[];
    v_unhappy  boolean;
    v_unique   boolean;
    v_specs    jsonb;
    v_children uuid[];
    v_counts   integer[];
    v_oks      boolean[];
    v_causes   text[];
    v_wake     text[] := '{}';
begin
    loop
        with input as (
            select * from unnest(in_ids, in_tokens, in_states, in_codes, in_reasons, in_results, in_errors)
                       as i(id, token, end_state, code, reason, end_result, error)
        ), gone as (
            delete from queue.job j using input i
             where j.id = i.id and j.token is not distinct from i.token
            returning j.*, i.end_state, i.code, i.reason, i.end_result, i.error
        ), kept as (
            insert into queue.history (
                id, kind, queue, state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
                run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
                on_failure, checkpoint, meta, tags, traceparent, errors, result, cancel_requested_at, cancel_reason,
                created_at, code, reason)
            select
                id, kind, queue, end_state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
                run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
                on_failure, checkpoint, meta, tags, traceparent, queue.add_error(errors, error),
                coalesce(end_result, result), cancel_requested_at, cancel_reason, created_at, code,
                coalesce(reason, case when end_state = 'cancelled' then cancel_reason end)
              from gone
            returning id, state, kind, code, reason, unique_key, on_failure
        )
        select array_agg(id), array_agg(state), bool_or(state <> 'completed'), bool_or(unique_key is not null),
               jsonb_agg(on_failure || jsonb_build_object('args', (on_failure -> 'args') || jsonb_build_object(
                   '_failure', jsonb_build_object('state', state, 'code', code, 'reason', reason,
                                                  'job_id', id, 'kind', kind))))
                   filter (where on_failure is not null and state <> 'completed')
          into v_ids, v_states, v_unhappy, v_unique, v_specs
          from kept;
        exit when v_ids is null;
        if v_first then
            return query select unnest(v_ids), null::text;
            v_first := false;
        end if;

        if v_unique then
            delete from queue.unique_key where job_id = any(v_ids) and expires_at is null;
        end if;
        if v_unhappy then
            -- They were perhaps waiting themselves.
            delete from queue.dependency where child = any(v_ids);
        end if;
        if v_specs is not null then
            v_wake := v_wake || array(select queue.insert_specs(v_specs));
        end if;

        with edge as (
            delete from queue.dependency d using unnest(v_ids, v_states) as e(id, state)
             where d.parent = e.id
            returning d.child, e.id as parent, e.state, (e.state = 'completed' or d.ignore) as ok
        ), per_child as (
            select child, count(*)::integer as n, bool_and(ok) as ok,
                   min('job ' || parent || ' ended ' || state) filter (where not ok) as cause
              from edge group by child
        )
        select array_agg(child order by child), array_agg(n order by child), array_agg(ok order by child),
               array_agg(cause order by child)
          into v_children, v_counts, v_oks, v_causes
          from per_child;
        exit when v_children is null;
        perform 1 from queue.job where id = any(v_children) order by id for update;

        -- Fan-in: one decrement per child and batch.
        with freed as (
            update queue.job j
               set pending = j.pending - c.n,
                   state = case when j.pending > c.n then 'waiting'::queue.state
                                when j.run_at > clock_timestamp() then 'scheduled'
                                else 'available' end
              from unnest(v_children, v_counts, v_oks) as c(id, n, ok)
             where j.id = c.id and c.ok and j.state = 'waiting'
            returning j.queue, j.state
        )
        select v_wake || array(select distinct case state when 'available' then queue else '' end
                                 from freed where state <> 'waiting') into v_wake;

        -- The dependants of an unhappy parent are cancelled by the next round of this loop.
        select array_agg(id), array_agg(null::uuid), array_agg('cancelled'::queue.state),
               array_agg('parent_failed'::text), array_agg(cause), array_agg(null::jsonb), array_agg(null::jsonb)
          into in_ids, in_tokens, in_states, in_codes, in_reasons, in_results, in_errors
          from unnest(v_children, v_oks, v_causes) as c(id, ok, cause) where not ok;
        exit when in_ids is null;
    end loop;
    return query select null::uuid, w from (select distinct unnest(v_wake)) as q(w);
end $$;

-- Puts running jobs back: 'available' (released by a shutdown), 'retryable' (failed) or 'scheduled' (snoozed).
-- A job that somebody asked to cancel meanwhile is cancelled instead. Same answer as end_jobs.
create function queue.put_back(
    in_ids uuid[], in_tokens uuid[], in_states queue.state[], in_delays_ms bigint[], in_refunds boolean[],
    in_errors jsonb[]
) returns table (ended uuid, wake text) language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    v_ids uuid[]; v_tokens uuid[]; v_reasons text[]; v_errors jsonb[];
begin
    return query
    with input as (
        select * from unnest(in_ids, in_tokens, in_states, in_delays_ms, in_refunds, in_errors)
                   as i(id, token, next_state, delay_ms, refund, error)
    ), back as (
        update queue.job j
           set state = i.next_state, token = null, lease_until = null, worker_id = null,
               run_at = case when i.delay_ms is null then j.run_at
                             else clock_timestamp() + i.delay_ms * interval '1 millisecond' end,
               attempt = j.attempt - i.refund::integer,
               errors = queue.add_error(j.errors, i.error)
          from input i
         where j.id = i.id and j.token = i.token and j.cancel_requested_at is null
        returning j.id, j.queue, j.state, j.run_at
    )
    select id, null::text from back
    union all
    select null::uuid, case state when 'available' then queue else '' end from back
     where state = 'available' or run_at < clock_timestamp() + interval '1 second'
     group by 2;

    select array_agg(j.id), array_agg(j.token), array_agg(coalesce(j.cancel_reason, 'cancelled on request')), array_agg(i.error)
      into v_ids, v_tokens, v_reasons, v_errors
      from unnest(in_ids, in_tokens, in_errors) as i(id, token, error)
      join queue.job j on j.id = i.id and j.token = i.token
     where j.cancel_requested_at is not null;
    if v_ids is not null then
        return query select * from queue.end_jobs(
            v_ids, v_tokens, array_fill('cancelled'::queue.state, array[cardinality(v_ids)]),
            array_fill('cancelled'::text, array[cardinality(v_ids)]), v_reasons,
            array_fill(null::jsonb, array[cardinality(v_ids)]), v_errors);
    end if;
end $$;

-- Takes back jobs whose lease ran out. Any worker may call it at any time; rows that another rescue or a late
-- answer holds are skipped. The attempt stays charged: only a shutdown is free.
create function queue.rescue(in_limit integer) returns table (id uuid, state queue.state, wake text) language plpgsql as $$
#variable_conflict use_column
declare
    r         record;
    v_ids     uuid[]; v_tokens uuid[]; v_states queue.state[]; v_codes text[]; v_reasons text[]; v_errors jsonb[];
    v_entry   jsonb;
    v_state   queue.state;
begin
    for r in
        select j.id, j.token, j.queue, j.run_no, j.attempt, j.max_attempts, j.crash_count, j.max_crashes, j.worker_id,
               j.lease_until, j.cancel_requested_at, j.cancel_reason
          from queue.job j
         where j.state = 'running' and j.lease_until < clock_timestamp()
         order by j.id limit in_limit
           for update skip locked
    loop
        v_entry := jsonb_build_object('run_no', r.run_no, 'attempt', r.attempt, 'code', 'crashed',
            'error', 'the worker stopped without an answer', 'worker', r.worker_id, 'lease_until', r.lease_until);
        v_state := case when r.cancel_requested_at is not null then 'cancelled'::queue.state
                        when r.crash_count + 1 >= r.max_crashes then 'quarantined'
                        when r.attempt >= r.max_attempts then 'discarded'
                        else 'available' end;
        update queue.job j
           set crash_count = j.crash_count + 1,
               state = case when v_state = 'available' then v_state else j.state end,
               token = case when v_state = 'available' then null else j.token end,
               lease_until = case when v_state = 'available' then null else j.lease_until end,
               worker_id = case when v_state = 'available' then null else j.worker_id end,
               errors = queue.add_error(j.errors, v_entry)
         where j.id = r.id;
        if v_state <> 'available' then
            v_ids := v_ids || r.id;
            v_tokens := v_tokens || r.token;
            v_states := v_states || v_state;
            v_codes := v_codes || case v_state when 'cancelled' then 'cancelled'::text else 'crashed' end;
            v_reasons := v_reasons || case v_state
                when 'cancelled' then coalesce(r.cancel_reason, 'cancelled on request')
                else format('its worker stopped without an answer, %s times', r.crash_count + 1) end;
            v_errors := v_errors || array[null::jsonb];
        end if;
        id := r.id; state := v_state; wake := case when v_state = 'available' then r.queue end;
        return next;
    end loop;
    if v_ids is not null then
        return query select null::uuid, null::queue.state, e.wake
            from queue.end_jobs(v_ids, v_tokens, v_states, v_codes, v_reasons,
                                array_fill(null::jsonb, array[cardinality(v_ids)]), v_errors) e
            where e.wake is not null;
    end if;
end $$;

-- Cancels jobs: those that nobody runs at once, running ones by request (their workers hear of it by NOTIFY, and by
-- their poll at the latest). `outcome` is 'cancelled' or 'requested'; ids that are not live are absent.
create function queue.cancel_jobs(in_ids uuid[], in_reason text)
returns table (id uuid, outcome text, wake text) language plpgsql as $$
#variable_conflict use_column
declare
    v_ids uuid[];
begin
    perform 1 from queue.job j where j.id = any(in_ids) order by j.id for update;
    return query
        update queue.job j
           set cancel_requested_at = coalesce(j.cancel_requested_at, now()),
               cancel_reason = coalesce(j.cancel_reason, in_reason)
         where j.id = any(in_ids) and j.state = 'running'
        returning j.id, 'requested', null::text;
    select array_agg(j.id order by j.id) into v_ids from queue.job j where j.id = any(in_ids) and j.state <> 'running';
    if v_ids is not null then
        return query select e.ended, case when e.ended is not null then 'cancelled' end, e.wake
            from queue.end_jobs(
                v_ids, array_fill(null::uuid, array[cardinality(v_ids)]),
                array_fill('cancelled'::queue.state, array[cardinality(v_ids)]),
                array_fill('cancelled'::text, array[cardinality(v_ids)]), array_fill(in_reason, array[cardinality(v_ids)]),
                array_fill(null::jsonb, array[cardinality(v_ids)]), array_fill(null::jsonb, array[cardinality(v_ids)])) e;
    end if;
end $$;

-- Moves a job that ended unhappily back from the history, under its id, with attempts and crashes forgiven. Returns its
-- queue, or null when there is no such job or another one holds its unique key.
create function queue.retry_ended(in_id uuid) returns text language plpgsql as $$
declare
    v_key   text;
    v_queue text;
begin
    select unique_key into v_key from queue.history
     where id = in_id and state in ('cancelled', 'discarded', 'quarantined') for update;
    if not found then
        return null;
    end if;
    if v_key is not null then
        perform queue.take_keys(array[v_key], array[in_id], array[null::bigint]);
        if not found and not exists (select from queue.unique_key where key = v_key and job_id = in_id) then
            return null;
        end if;
    end if;
    with back as (
        delete from queue.history where id = in_id returning *
    )
    insert into queue.job (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, run_no, timeout_ms,
                           backoff, owner, limit_key, group_id, unique_key, on_failure, checkpoint, meta, tags,
                           traceparent, errors, created_at)
    select id, kind, queue, 'available', priority, clock_timestamp(), args, max_attempts, max_crashes, run_no, timeout_ms,
           backoff, owner, limit_key, group_id, unique_key, on_failure, checkpoint, meta, tags,
           traceparent, errors, created_at
      from back
    returning queue into v_queue;
    return v_queue;
end $$;

-- Moves due jobs to the ready index and says when the next one is due. A separate step, so that the claim reads one
-- index in priority order without stepping over jobs of the future.
create function queue.promote(in_limit integer) returns table (wake text, next_due timestamptz) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    with due as (
        update queue.job j set state = 'available'
         where j.id = any(array(
            select id from queue.job
             where state in ('scheduled', 'retryable') and run_at <= clock_timestamp()
             order by run_at limit in_limit for update skip locked))
        returning j.queue
    )
    select queue, null::timestamptz from due group by queue;
    return query select null::text, min(run_at) from queue.job where state in ('scheduled', 'retryable');
end $$;

-- Makes the partitions of today and the coming days. Rows of such a day that went to the default partition meanwhile
-- (the maintenance was off for days) are moved, since a partition cannot be made over them.
create function queue.ensure_partitions(in_days integer default 3) returns integer language plpgsql as $$
declare
    v_day  date;
    v_name text;
    v_made integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('queue.ensure_partitions'));
    for v_day in select d::date from generate_series((now() at time zone 'UTC')::date,
                        (now() at time zone 'UTC')::date + in_days, interval '1 day') as g(d)
    loop
        v_name := 'history_' || to_char(v_day, 'YYYYMMDD');
        continue when to_regclass('queue.' || v_name) is not null;
        execute format('create table queue.%I (like queue.history including defaults including constraints)', v_name);
        execute format(
            'with moved as (delete from queue.history_default where finished_at >= %1$L and finished_at < %2$L returning *)
             insert into queue.%3$I select * from moved',
            v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC', v_name);
        execute format('alter table queue.history attach partition queue.%I for values from (%L) to (%L)',
            v_name, v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC');
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;

-- Drops the days older than `in_days`, and what is that old in the default partition.
create function queue.drop_partitions(in_days integer) returns integer language plpgsql as $$
declare
    v_name    text;
    v_dropped integer := 0;
begin
    for v_name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'queue.history'::regclass and c.relname ~ '^history_\d{8}$'
           and to_date(substring(c.relname from 9), 'YYYYMMDD') < (now() at time zone 'UTC')::date - in_days
    loop
        execute format('drop table queue.%I', v_name);
        v_dropped := v_dropped + 1;
    end loop;
    delete from queue.history_default where finished_at < now() - in_days * interval '1 day';
    return v_dropped;
end $$;

select queue.ensure_partitions();
