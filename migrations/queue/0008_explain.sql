-- Why a job is not running, for programs too; and which jobs it waited for, after they have ended.

-- Every reason that holds at this moment, the most decisive first. `code` is a stable word, `detail` says the same to
-- people, `params` holds what the sentence is made of, so that it can be said in another language and zone: times are
-- ISO 8601, what is unknown is null. No row: there is no such job.
--
--   ended          state, at, code, reason
--   cancelling     requested_at, delivered_at, reason
--   running        since, worker, run_no
--   lease_expired  until
--   dependency     pending, jobs (at most five): id, kind, state
--   backoff        attempt, max_attempts, at
--   run_at         at
--   queue_paused   queue, since, by, note
--   kind_paused    kind, since, by, note
--   no_worker      queue, kind
--   queue_limit    queue, running, limit
--   kind_limit     kind, running, limit
--   key_limit      key, running, limit
--   rate           key, started, limit, period_ms, at
--   in_line        ahead, more (there are more than that)
drop function queue.explain(uuid);
create function queue.explain(in_id uuid) returns table (code text, detail text, params jsonb)
language plpgsql stable as $$
#variable_conflict use_column
declare
    j        queue.job;
    h        record;
    q        record;
    k        record;
    p        record;
    v_n      bigint;
    v_most   bigint;
    v_text   text;
    v_at     timestamptz;
    v_jobs   jsonb;
    v_any    boolean := false;
begin
    select * into j from queue.job where id = in_id;
    if not found then
        select state, code, reason, finished_at into h from queue.history where id = in_id;
        if found then
            return query select 'ended', format('It ended %s at %s%s.', h.state, h.finished_at, coalesce(': ' || h.reason, '')),
                jsonb_build_object('state', h.state, 'at', h.finished_at, 'code', h.code, 'reason', h.reason);
        end if;
        return;
    end if;
    if j.cancel_requested_at is not null then
        return query select 'cancelling', format('Its cancellation was requested at %s%s.', j.cancel_requested_at,
            case when j.cancel_delivered_at is null then ' and has not reached its worker'
                 else format(' and reached its worker at %s', j.cancel_delivered_at) end),
            jsonb_build_object('requested_at', j.cancel_requested_at, 'delivered_at', j.cancel_delivered_at,
                               'reason', j.cancel_reason);
    end if;
    if j.state = 'running' then
        select name into v_text from queue.worker where id = j.worker_id;
        return query select 'running', format('It runs since %s on %s (run %s).', j.started_at, coalesce(v_text, 'a worker that is gone'), j.run_no),
            jsonb_build_object('since', j.started_at, 'worker', v_text, 'run_no', j.run_no);
        if j.lease_until < clock_timestamp() then
            return query select 'lease_expired', format('Its lease ended at %s; it is rescued soon.', j.lease_until),
                jsonb_build_object('until', j.lease_until);
        end if;
        return;
    end if;
    if j.state = 'waiting' then
        select string_agg(coalesce(l.kind, '?') || ' ' || d.parent || ' (' || coalesce(l.state::text, 'gone') || ')', ', ' order by d.parent),
               jsonb_agg(jsonb_build_object('id', d.parent, 'kind', l.kind, 'state', l.state) order by d.parent)
          into v_text, v_jobs
          from (select parent from queue.dependency where child = in_id order by parent limit 5) d
          left join queue.job l on l.id = d.parent;
        return query select 'dependency', format('It waits for %s jobs: %s.', j.pending, v_text),
            jsonb_build_object('pending', j.pending, 'jobs', coalesce(v_jobs, '[]'));
        v_any := true;
    end if;
    if j.state = 'retryable' then
        return query select 'backoff', format('Attempt %s of %s failed; it is tried again at %s.', j.attempt, j.max_attempts, j.run_at),
            jsonb_build_object('attempt', j.attempt, 'max_attempts', j.max_attempts, 'at', j.run_at);
        v_any := true;
    elsif j.run_at > clock_timestamp() then
        return query select 'run_at', format('It is not due before %s.', j.run_at), jsonb_build_object('at', j.run_at);
        v_any := true;
    end if;
    select * into q from queue.queue where name = j.queue;
    if q.paused_at is not null then
        return query select 'queue_paused', format('The queue %s is paused since %s%s%s.', j.queue, q.paused_at,
            coalesce(' by ' || q.paused_by, ''), coalesce(': ' || q.note, '')),
            jsonb_build_object('queue', j.queue, 'since', q.paused_at, 'by', q.paused_by, 'note', q.note);
        v_any := true;
    end if;
    select * into k from queue.kind where kind = j.kind;
    if k.paused_at is not null then
        return query select 'kind_paused', format('The kind %s is paused since %s%s%s.', j.kind, k.paused_at,
            coalesce(' by ' || k.paused_by, ''), coalesce(': ' || k.note, '')),
            jsonb_build_object('kind', j.kind, 'since', k.paused_at, 'by', k.paused_by, 'note', k.note);
        v_any := true;
    end if;
    -- `held`, the queues from which a worker takes nothing at present, is a column that a later migration adds.
    select count(*) into v_n from queue.worker w
     where not w.draining and w.heartbeat_at > clock_timestamp() - interval '45 seconds'
       and w.queues ? j.queue and j.kind = any (w.kinds) and not coalesce(to_jsonb(w) -> 'held' ? j.queue, false);
    if v_n = 0 then
        return query select 'no_worker', format('No live worker serves the queue %s and knows the kind %s.', j.queue, j.kind),
            jsonb_build_object('queue', j.queue, 'kind', j.kind);
        v_any := true;
    end if;
    if q.max_running is not null then
        select count(*) into v_n from queue.job where state = 'running' and queue = j.queue;
        if v_n >= q.max_running then
            return query select 'queue_limit', format('%s jobs of the queue %s run, as many as it allows.', v_n, j.queue),
                jsonb_build_object('queue', j.queue, 'running', v_n, 'limit', q.max_running);
            v_any := true;
        end if;
    end if;
    if k.max_running is not null then
        select count(*) into v_n from queue.job where state = 'running' and kind = j.kind;
        if v_n >= k.max_running then
            return query select 'kind_limit', format('%s jobs of the kind %s run, as many as it allows.', v_n, j.kind),
                jsonb_build_object('kind', j.kind, 'running', v_n, 'limit', k.max_running);
            v_any := true;
        end if;
    end if;
    if j.limit_key is not null then
        select * into p from queue.limit_policy where name = split_part(j.limit_key, ':', 1);
        v_most := case when p.name is null then 1 else p.max_running end;
        select count(*) into v_n from queue.job where state = 'running' and limit_key = j.limit_key;
        if v_n >= v_most then
            return query select 'key_limit', format('%s jobs with the key %s run, as many as it allows.', v_n, j.limit_key),
                jsonb_build_object('key', j.limit_key, 'running', v_n, 'limit', v_most);
            v_any := true;
        end if;
        if p.rate is not null then
            select coalesce(sum(n), 0), min(at) into v_n, v_at from queue.rate_use
             where key = j.limit_key and at > clock_timestamp() - p.period_ms * interval '1 millisecond';
            if v_n >= p.rate then
                v_at := v_at + p.period_ms * interval '1 millisecond';
                return query select 'rate', format('%s jobs with the key %s started within %s ms, as many as it allows; the next may at %s.',
                    v_n, j.limit_key, p.period_ms, v_at),
                    jsonb_build_object('key', j.limit_key, 'started', v_n, 'limit', p.rate, 'period_ms', p.period_ms, 'at', v_at);
                v_any := true;
            end if;
        end if;
    end if;
    if not v_any then
        select count(*) into v_n from (
            select from queue.job o where o.queue = j.queue and o.state = 'available' and o.gate is not distinct from j.gate
               and (o.priority, o.run_at, o.id) < (j.priority, j.run_at, j.id) limit 1000) x;
        return query select 'in_line', format('It is due; %s jobs are before it.', case when v_n >= 1000 then '1000 or more' else v_n::text end),
            jsonb_build_object('ahead', v_n, 'more', v_n >= 1000);
    end if;
end $$;

-- Which jobs waited for which. A row of queue.dependency goes when its parent ends; this one stays, for whoever looks at
-- a graph of jobs that is over. By the day of enqueueing; kept as long as any finished job is.
create table queue.lineage (
    child  uuid not null,
    parent uuid not null,
    at     timestamptz not null default clock_timestamp(),
    primary key (child, parent, at)
) partition by range (at);
create index lineage_parent on queue.lineage (parent);
create table queue.lineage_default partition of queue.lineage default;
insert into queue.lineage (child, parent) select child, parent from queue.dependency;

-- A trigger, so that no way of enqueueing can forget it. By statement: a batch costs one more insert, and jobs that wait
-- for nothing hardly anything.
create function queue.keep_lineage() returns trigger language plpgsql as $$
begin
    insert into queue.lineage (child, parent) select child, parent from added;
    return null;
end $$;
create trigger dependency_lineage after insert on queue.dependency
    referencing new table as added for each statement execute function queue.keep_lineage();

-- Keeps what is partitioned by the day of writing (0006_history.sql): makes the days to come, and drops those that are
-- older than the longest kept job.
create or replace function queue.keep_logs(in_days integer default 3) returns integer language plpgsql as $$
declare
    v_table text;
    v_day   date;
    v_name  text;
    v_n     integer := 0;
    v_keep  integer;
begin
    perform pg_advisory_xact_lock(hashtext('queue.keep_logs'));
    select greatest(max(keep_days), 0) into v_keep from queue.queue;
    foreach v_table in array array['log', 'lineage'] loop
        for v_day in select (now() at time zone 'UTC')::date + d from generate_series(0, in_days) as g(d) loop
            v_name := v_table || '_' || to_char(v_day, 'YYYYMMDD');
            continue when to_regclass('queue.' || v_name) is not null;
            execute format('create table queue.%I (like queue.%I including defaults including constraints)', v_name, v_table);
            execute format('with moved as (delete from queue.%1$I where at >= %3$L and at < %4$L returning *)
                 insert into queue.%2$I select * from moved', v_table || '_default', v_name,
                v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC');
            execute format('alter table queue.%I attach partition queue.%I for values from (%L) to (%L)', v_table, v_name,
                v_day::timestamp at time zone 'UTC', (v_day + 1)::timestamp at time zone 'UTC');
            v_n := v_n + 1;
        end loop;
        for v_name in
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
             where i.inhparent = ('queue.' || v_table)::regclass and c.relname ~ ('^' || v_table || '_\d{8}$')
               and to_date(right(c.relname, 8), 'YYYYMMDD') < (now() at time zone 'UTC')::date - v_keep - 1
        loop
            execute format('drop table queue.%I', v_name);
        end loop;
        execute format('delete from queue.%I where at < now() - ($1 + 1) * interval ''1 day''', v_table || '_default') using v_keep;
    end loop;
    return v_n;
end $$;
select queue.keep_logs();
