-- Most jobs complete, and their ending needs little of what `end_jobs` provides for: no states, reasons and errors, no
-- `on_failure`, nobody who is cancelled with them. What it brought is in tests/bench/README.md.

-- Completes jobs in one statement: what `end_jobs` does for those that went well. `ended`: null when all were, else which.
create function queue.complete_jobs(in_ids uuid[], in_tokens uuid[], in_results jsonb[])
returns table (ended uuid[], wake text[]) language plpgsql
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
    v_n      bigint;
    v_unique boolean;
    v_today  date := (clock_timestamp() at time zone 'UTC')::date + 1;
    v_keep   jsonb;
    v_usual  integer;
begin
    select coalesce(jsonb_object_agg(name, keep_days), '{}') into v_keep from queue.queue where keep_days is not null;
    v_usual := coalesce((v_keep ->> '*')::integer, 14);
    with gone as (
        delete from queue.job j using unnest(in_ids, in_tokens, in_results) as i(id, token, end_result)
         where j.id = i.id and j.token = i.token
        returning j.*, i.end_result
    ), kept as (
        insert into queue.history (
            id, kind, queue, state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
            run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
            on_failure, checkpoint, meta, tags, traceparent, errors, result, cancel_requested_at, cancel_reason,
            created_at, cancel_delivered_at, drop_on)
        select
            id, kind, queue, 'completed', priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
            run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
            on_failure, checkpoint, meta, tags, traceparent, errors, coalesce(end_result, result), cancel_requested_at,
            cancel_reason, created_at, cancel_delivered_at, v_today + coalesce((v_keep ->> queue)::integer, v_usual)
          from gone
        returning id, queue, kind, unique_key, created_at, run_at, started_at, finished_at
    ), counted as (
        insert into queue.tally (minute, queue, kind, state, n, wait_ms, run_ms)
        select date_trunc('minute', clock_timestamp()), queue, kind, 'completed', count(*),
               sum(date_part('epoch', started_at - greatest(created_at, run_at)) * 1000),
               sum(date_part('epoch', finished_at - started_at) * 1000)
          from kept group by queue, kind
    )
    select count(*), bool_or(unique_key is not null),
           case when count(*) < cardinality(in_ids) then array_agg(id) end,
           array(select distinct queue.news(queue, gate) from gone where gate is not null)
      into v_n, v_unique, ended, wake
      from kept;
    if v_unique then
        delete from queue.unique_key where job_id = any(in_ids) and expires_at is null
           and (ended is null or job_id = any(ended));
    end if;
    -- Nothing depends on anything, as a rule.
    perform from queue.dependency limit 1;
    if found then
        wake := wake || array(select queue.free_children(coalesce(ended, in_ids)));
    end if;
    if v_n = 0 then
        ended := '{}';
    end if;
    return next;
end $$;
