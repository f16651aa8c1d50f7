-- What operators do to many jobs at once and to the history, and workers that rest.

-- What the code says of the policy `*`: an operator who changed it has the last word, whatever worker starts.
alter table queue.queue add column keep_default integer;
update queue.queue set keep_default = keep_days where name = '*';

-- Queues for which a worker claims nothing at present, for want of something on its machine.
alter table queue.worker add column held text[] not null default '{}';

-- As before, without the places of workers that rest.
create or replace view queue.autoscale as
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
                          where not draining and heartbeat_at > clock_timestamp() - interval '45 seconds'
                            and q.name <> all (held)) w;

-- Moves jobs that ended unhappily, not after `in_ended_by`, back from the history under their ids, with attempts and crashes
-- forgiven. Returns those that it moved, each with the queue to wake. A job whose unique key another one holds stays where
-- it is; of several with the same key, the oldest goes.
--
-- Scans and joins that read whole tables are off for the reasons given at `end_jobs`: the history is looked up by id.
create function queue.retry_all_ended(in_ids uuid[], in_ended_by timestamptz default 'infinity')
returns table (id uuid, wake text) language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_ids    uuid[];
    v_keys   text[];
    v_takers uuid[];
begin
    select array_agg(l.id) into v_ids
      from (select h.id from queue.history h
             where h.id = any(in_ids) and h.state in ('cancelled', 'discarded', 'quarantined')
               and h.finished_at <= in_ended_by
             order by h.id for update) as l;
    if v_ids is null then
        return;
    end if;
    select array_agg(k.key), array_agg(k.id) into v_keys, v_takers
      from (select distinct on (h.unique_key) h.unique_key as key, h.id from queue.history h
             where h.id = any(v_ids) and h.unique_key is not null order by h.unique_key, h.id) as k;
    if v_keys is not null then
        perform queue.take_keys(v_keys, v_takers, array_fill(null::bigint, array[cardinality(v_keys)]));
    end if;
    return query
    with back as (
        delete from queue.history h
         where h.id = any(v_ids)
           and (h.unique_key is null
                or exists (select from queue.unique_key u where u.key = h.unique_key and u.job_id = h.id))
        returning h.*
    )
    insert into queue.job as j (id, kind, queue, state, priority, run_at, args, max_attempts, max_crashes, run_no,
                           timeout_ms, backoff, owner, limit_key, group_id, unique_key, on_failure, checkpoint, meta, tags,
                           traceparent, errors, created_at, gate)
    select id, kind, queue, 'available', priority, clock_timestamp(), args, max_attempts, max_crashes, run_no,
           timeout_ms, backoff, owner, limit_key, group_id, unique_key, on_failure, checkpoint, meta, tags,
           traceparent, errors, created_at, queue.gate_of(kind, queue, owner, limit_key)
      from back
    returning j.id, queue.news(j.queue, j.gate);
end $$;

-- The same of one job. Returns the queue to wake, or null when there was nothing to move.
create or replace function queue.retry_ended(in_id uuid) returns text language sql as $$
    select wake from queue.retry_all_ended(array[in_id])
$$;
