-- The history by the day on which it may go, counts, and what a cancelled run was told.
--
-- Each queue keeps its finished jobs as long as its policy says, and still nothing is ever deleted row by row: the day of
-- dropping is decided when a job ends, and the history is partitioned by it. A policy that changes holds for what ends
-- from then on.
alter table queue.queue add column keep_days integer check (keep_days between 0 and 3650);
-- The row `*` is what holds for queues without a policy of their own; it is no queue.
insert into queue.queue (name, keep_days) values ('*', 14);

alter table queue.job add column cancel_delivered_at timestamptz; -- when its worker told the run

alter table queue.history rename to history_by_end;
create table queue.history (
    like queue.history_by_end including defaults,
    cancel_delivered_at timestamptz,
    drop_on date not null,
    primary key (id, drop_on)
) partition by range (drop_on);
alter index queue.history_group rename to history_by_end_group;
create index history_group on queue.history (group_id) where group_id is not null;
-- What an operator looks for among millions that went well.
create index history_unhappy on queue.history (state, kind, id) where state <> 'completed';
create table queue.history_without_day partition of queue.history default;
insert into queue.history
select *, null, (finished_at at time zone 'UTC')::date + 15 from queue.history_by_end;
drop table queue.history_by_end;

-- Endings by the minute: one row per batch, queue, kind and state, added up later. Sums of milliseconds: from when a
-- job could have started to its last start, and from there to its end.
create table queue.tally (
    minute  timestamptz not null,
    queue   text not null,
    kind    text not null,
    state   queue.state not null,
    n       bigint not null,
    wait_ms double precision not null,
    run_ms  double precision not null,
    folded  boolean not null default false
);
create index tally_minute on queue.tally (minute);

create or replace function queue.end_jobs(
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
    v_room     text[];
    v_specs    jsonb;
    v_children uuid[];
    v_counts   integer[];
    v_oks      boolean[];
    v_causes   text[];
    v_wake     text[] := '{}';
    v_today    date := (clock_timestamp() at time zone 'UTC')::date;
    v_keep     jsonb;
    v_usual    integer;
begin
    select coalesce(jsonb_object_agg(name, keep_days), '{}') into v_keep from queue.queue where keep_days is not null;
    v_usual := coalesce((v_keep ->> '*')::integer, 14);
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
                created_at, code, reason, cancel_delivered_at, drop_on)
            select
                id, kind, queue, end_state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
                run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
                on_failure, checkpoint, meta, tags, traceparent, queue.add_error(errors, error),
                coalesce(end_result, result), cancel_requested_at, cancel_reason, created_at, code,
                coalesce(reason, case when end_state = 'cancelled' then cancel_reason end), cancel_delivered_at,
                v_today + 1 + coalesce((v_keep ->> queue)::integer, v_usual)
              from gone
            returning id, queue, state, kind, code, reason, unique_key, on_failure, created_at, run_at, started_at, finished_at
        ), counted as (
            insert into queue.tally (minute, queue, kind, state, n, wait_ms, run_ms)
            select date_trunc('minute', clock_timestamp()), queue, kind, state, count(*),
                   coalesce(sum(extract(epoch from started_at - greatest(created_at, run_at)) * 1000), 0),
                   coalesce(sum(extract(epoch from finished_at - started_at) * 1000), 0)
              from kept group by queue, kind, state
        )
        select array_agg(id), array_agg(state), bool_or(state <> 'completed'), bool_or(unique_key is not null),
               (select array_agg(distinct queue.news(queue, gate)) from gone where gate is not null and token is not null),
               jsonb_agg(on_failure || jsonb_build_object('args', (on_failure -> 'args') || jsonb_build_object(
                   '_failure', jsonb_build_object('state', state, 'code', code, 'reason', reason,
                                                  'job_id', id, 'kind', kind))))
                   filter (where on_failure is not null and state <> 'completed')
          into v_ids, v_states, v_unhappy, v_unique, v_room, v_specs
          from kept;
        exit when v_ids is null;
        v_wake := v_wake || coalesce(v_room, '{}');
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
            returning j.queue, j.gate, j.state
        )
        select v_wake || array(select distinct case state when 'available' then queue.news(queue, gate) else '' end
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

-- Adds up the tallies of minutes that are over; returns how many rows became how many fewer.
create function queue.fold_tallies() returns bigint language sql as $$
    with gone as (
        delete from queue.tally where not folded and minute < date_trunc('minute', clock_timestamp()) returning *
    ), put as (
        insert into queue.tally (minute, queue, kind, state, n, wait_ms, run_ms, folded)
        select minute, queue, kind, state, sum(n), sum(wait_ms), sum(run_ms), true from gone group by 1, 2, 3, 4
        returning 1
    )
    select (select count(*) from gone) - (select count(*) from put)
$$;

drop function queue.ensure_partitions(integer);
drop function queue.drop_partitions(integer);

-- Makes the partitions into which the endings of today and the coming days fall, by all policies there are. Rows that
-- went to the default partition meanwhile (the maintenance was off for days) are moved, since a partition cannot be
-- made over them.
create function queue.ensure_partitions(in_days integer default 3) returns integer language plpgsql as $$
declare
    v_day  date;
    v_name text;
    v_made integer := 0;
begin
    perform pg_advisory_xact_lock(hashtext('queue.ensure_partitions'));
    for v_day in select distinct (now() at time zone 'UTC')::date + 1 + k + d
                   from (select coalesce(keep_days, 14) from queue.queue union select 14) as p(k),
                        generate_series(0, in_days) as g(d) order by 1
    loop
        v_name := 'history_' || to_char(v_day, 'YYYYMMDD');
        continue when to_regclass('queue.' || v_name) is not null;
        execute format('create table queue.%I (like queue.history including defaults including constraints)', v_name);
        execute format(
            'with moved as (delete from queue.history_without_day where drop_on = %1$L returning *)
             insert into queue.%2$I select * from moved', v_day, v_name);
        execute format('alter table queue.history attach partition queue.%I for values from (%L) to (%L)',
            v_name, v_day, v_day + 1);
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;

-- Drops what is past its day.
create function queue.drop_partitions() returns integer language plpgsql as $$
declare
    v_name    text;
    v_dropped integer := 0;
begin
    for v_name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'queue.history'::regclass and c.relname ~ '^history_\d{8}$'
           and to_date(substring(c.relname from 9), 'YYYYMMDD') <= (now() at time zone 'UTC')::date
    loop
        execute format('drop table queue.%I', v_name);
        v_dropped := v_dropped + 1;
    end loop;
    delete from queue.history_without_day where drop_on <= (now() at time zone 'UTC')::date;
    delete from queue.tally where minute < now() - interval '90 days';
    return v_dropped;
end $$;

select queue.ensure_partitions();

-- What waits and runs, sampled by one of the workers at a time: nobody counts on the way.
create table queue.depth (
    queue      text not null,
    kind       text not null,
    state      queue.state not null,
    n          bigint not null,
    oldest_due timestamptz, -- of those that could run
    sampled_at timestamptz not null,
    primary key (queue, kind, state)
);
create function queue.sample_depth() returns void language sql as $$
    with now as (
        select queue, kind, state, count(*) as n,
               min(greatest(run_at, created_at)) filter (where state <> 'waiting' and run_at <= clock_timestamp()) as oldest_due
          from queue.job group by 1, 2, 3
    ), gone as (
        delete from queue.depth d
         where not exists (select from now n where (n.queue, n.kind, n.state) = (d.queue, d.kind, d.state))
    )
    insert into queue.depth as d select *, clock_timestamp() from now
    on conflict (queue, kind, state) do update
       set n = excluded.n, oldest_due = excluded.oldest_due, sampled_at = excluded.sampled_at
$$;

-- For autoscalers, KEDA's PostgreSQL scaler among them: what is due and not running, per queue, without any worker having
-- to be there. Counts stop at 10,000, so that it is quick whatever is queued:
--   select backlog from queue.autoscale where queue = 'media'
create view queue.autoscale as
    select q.name as queue,
           a.n + d.n as backlog,
           coalesce(extract(epoch from clock_timestamp() - least(a.oldest, d.oldest)), 0)::double precision as oldest_due_seconds,
           r.n as running,
           w.slots,
           p.paused_at is not null as paused
      from (select name from queue.queue where name <> '*'
            union select queue from queue.kind
            union select jsonb_object_keys(queues) from queue.worker) as q
      left join queue.queue p on p.name = q.name
     cross join lateral (select count(*) as n, min(greatest(run_at, created_at)) as oldest from (
                select run_at, created_at from queue.job
                 where queue = q.name and state = 'available' and gate is null limit 10000) x) a0
     cross join lateral (select a0.n + count(*) as n, least(a0.oldest, min(greatest(run_at, created_at))) as oldest from (
                select run_at, created_at from queue.job
                 where queue = q.name and state = 'available' and gate is not null limit 10000) x) a
     cross join lateral (select count(*) as n, min(run_at) as oldest from (
                select run_at from queue.job
                 where queue = q.name and state in ('scheduled', 'retryable') and run_at <= clock_timestamp() limit 10000) x) d
     cross join lateral (select count(*) as n from queue.job where queue = q.name and state = 'running') r
     cross join lateral (select coalesce(sum((queues ->> q.name)::bigint), 0)::bigint as slots from queue.worker
                          where not draining and heartbeat_at > clock_timestamp() - interval '45 seconds') w;

-- Why a job is not running: every reason that holds at this moment, the most decisive first. `code` is a stable word,
-- `detail` says the same to people. No row: there is no such job.
create function queue.explain(in_id uuid) returns table (code text, detail text) language plpgsql stable as $$
#variable_conflict use_column
declare
    j        queue.job;
    h        record;
    q        record;
    k        record;
    p        record;
    v_n      bigint;
    v_text   text;
    v_at     timestamptz;
    v_any    boolean := false;
begin
    select * into j from queue.job where id = in_id;
    if not found then
        select state, code, reason, finished_at into h from queue.history where id = in_id;
        if found then
            return query select 'ended', format('It ended %s at %s%s.', h.state, h.finished_at, coalesce(': ' || h.reason, ''));
        end if;
        return;
    end if;
    if j.cancel_requested_at is not null then
        return query select 'cancelling', format('Its cancellation was requested at %s%s.', j.cancel_requested_at,
            case when j.cancel_delivered_at is null then ' and has not reached its worker'
                 else format(' and reached its worker at %s', j.cancel_delivered_at) end);
    end if;
    if j.state = 'running' then
        select name into v_text from queue.worker where id = j.worker_id;
        return query select 'running', format('It runs since %s on %s (run %s).', j.started_at, coalesce(v_text, 'a worker that is gone'), j.run_no);
        if j.lease_until < clock_timestamp() then
            return query select 'lease_expired', format('Its lease ended at %s; it is rescued soon.', j.lease_until);
        end if;
        return;
    end if;
    if j.state = 'waiting' then
        return query
            select 'dependency', format('It waits for %s jobs: %s.', j.pending,
                (select string_agg(coalesce(l.kind, '?') || ' ' || d.parent || ' (' || coalesce(l.state::text, 'gone') || ')', ', ')
                   from (select parent from queue.dependency where child = in_id order by parent limit 5) d
                   left join queue.job l on l.id = d.parent));
        v_any := true;
    end if;
    if j.state = 'retryable' then
        return query select 'backoff', format('Attempt %s of %s failed; it is tried again at %s.', j.attempt, j.max_attempts, j.run_at);
        v_any := true;
    elsif j.run_at > clock_timestamp() then
        return query select 'run_at', format('It is not due before %s.', j.run_at);
        v_any := true;
    end if;
    select * into q from queue.queue where name = j.queue;
    if q.paused_at is not null then
        return query select 'queue_paused', format('The queue %s is paused since %s%s%s.', j.queue, q.paused_at,
            coalesce(' by ' || q.paused_by, ''), coalesce(': ' || q.note, ''));
        v_any := true;
    end if;
    select * into k from queue.kind where kind = j.kind;
    if k.paused_at is not null then
        return query select 'kind_paused', format('The kind %s is paused since %s%s%s.', j.kind, k.paused_at,
            coalesce(' by ' || k.paused_by, ''), coalesce(': ' || k.note, ''));
        v_any := true;
    end if;
    select count(*) into v_n from queue.worker w
     where not w.draining and w.heartbeat_at > clock_timestamp() - interval '45 seconds'
       and w.queues ? j.queue and j.kind = any (w.kinds);
    if v_n = 0 then
        return query select 'no_worker', format('No live worker serves the queue %s and knows the kind %s.', j.queue, j.kind);
        v_any := true;
    end if;
    if q.max_running is not null then
        select count(*) into v_n from queue.job where state = 'running' and queue = j.queue;
        if v_n >= q.max_running then
            return query select 'queue_limit', format('%s jobs of the queue %s run, as many as it allows.', v_n, j.queue);
            v_any := true;
        end if;
    end if;
    if k.max_running is not null then
        select count(*) into v_n from queue.job where state = 'running' and kind = j.kind;
        if v_n >= k.max_running then
            return query select 'kind_limit', format('%s jobs of the kind %s run, as many as it allows.', v_n, j.kind);
            v_any := true;
        end if;
    end if;
    if j.limit_key is not null then
        select * into p from queue.limit_policy where name = split_part(j.limit_key, ':', 1);
        select count(*) into v_n from queue.job where state = 'running' and limit_key = j.limit_key;
        if v_n >= (case when p.name is null then 1 else p.max_running end) then
            return query select 'key_limit', format('%s jobs with the key %s run, as many as it allows.', v_n, j.limit_key);
            v_any := true;
        end if;
        if p.rate is not null then
            select coalesce(sum(n), 0), min(at) into v_n, v_at from queue.rate_use
             where key = j.limit_key and at > clock_timestamp() - p.period_ms * interval '1 millisecond';
            if v_n >= p.rate then
                return query select 'rate', format('%s jobs with the key %s started within %s ms, as many as it allows; the next may at %s.',
                    v_n, j.limit_key, p.period_ms, v_at + p.period_ms * interval '1 millisecond');
                v_any := true;
            end if;
        end if;
    end if;
    if not v_any then
        select count(*) into v_n from (
            select from queue.job o where o.queue = j.queue and o.state = 'available' and o.gate is not distinct from j.gate
               and (o.priority, o.run_at, o.id) < (j.priority, j.run_at, j.id) limit 1000) x;
        return query select 'in_line', format('It is due; %s jobs are before it.', case when v_n >= 1000 then '1000 or more' else v_n::text end);
    end if;
end $$;

-- Lines that runs write for people. By the day of writing; kept as long as any finished job is.
create table queue.log (
    job_id uuid not null,
    run_no integer not null,
    n      integer not null,
    at     timestamptz not null default clock_timestamp(),
    line   text not null,
    primary key (job_id, run_no, n, at)
) partition by range (at);
create table queue.log_default partition of queue.log default;

create function queue.keep_logs(in_days integer default 3) returns integer language plpgsql as $$
declare
    v_day  date;
    v_name text;
    v_n    integer := 0;
    v_keep integer;
begin
    perform pg_advisory_xact_lock(hashtext('queue.keep_logs'));
    select greatest(max(keep_days), 0) into v_keep from queue.queue;
    for v_day in select (now() at time zone 'UTC')::date + d from generate_series(0, in_days) as g(d) loop
        v_name := 'log_' || to_char(v_day, 'YYYYMMDD');
        continue when to_regclass('queue.' || v_name) is not null;
        execute format('create table queue.%I (like queue.log including defaults including constraints)', v_name);
        execute format('with moved as (delete from queue.log_default where at >= %1$L and at < %2$L returning *)
             insert into queue.%3$I select * from moved',
            v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC', v_name);
        execute format('alter table queue.log attach partition queue.%I for values from (%L) to (%L)',
            v_name, v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC');
        v_n := v_n + 1;
    end loop;
    for v_name in
        select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'queue.log'::regclass and c.relname ~ '^log_\d{8}$'
           and to_date(substring(c.relname from 5), 'YYYYMMDD') < (now() at time zone 'UTC')::date - v_keep - 1
    loop
        execute format('drop table queue.%I', v_name);
    end loop;
    delete from queue.log_default where at < now() - (v_keep + 1) * interval '1 day';
    return v_n;
end $$;
select queue.keep_logs();

-- Cancels with a deadline: a run that has not stopped so long after it was told is dropped, and its children killed.
alter table queue.job add column cancel_grace_ms bigint check (cancel_grace_ms >= 0);
