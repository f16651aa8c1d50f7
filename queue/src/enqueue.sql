-- Returns the queues to wake. The empty name stands for the clock: something is due within the second, so claimers should
-- look up when; what is later they find by their poll.
--
-- A column that is the same in all rows comes as one element, and one without any value as none: unnest fills up with
-- nulls, and the first element stands in for them. Half of the time of a thousand jobs was unpacking what they share.
with put as (
    insert into queue.job (id, kind, queue, state, priority, run_at, args, pending, max_attempts, max_crashes, timeout_ms,
                           backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent, gate)
    select id, kind, queue,
           case when pending > 0 then 'waiting'::queue.state
                when start > clock_timestamp() then 'scheduled'
                else 'available' end,
           coalesce(priority, ($4::smallint[])[1]), start, args, coalesce(pending, 0),
           coalesce(max_attempts, ($9::integer[])[1]), coalesce(max_crashes, ($10::integer[])[1]),
           coalesce(timeout_ms, ($11::bigint[])[1]), backoff, owner, limit_key, group_id,
           unique_key, on_failure, coalesce(meta, '{}'),
           case when tags is null then '{}' else array(select jsonb_array_elements_text(tags)) end, traceparent,
           case when capped or limited or limit_key is not null or fair
                then nullif(concat_ws('|', case when capped then 'queue' end, case when limited then 'kind:' || kind end,
                                      coalesce('key:' || limit_key, case when fair then 'owner:' || owner end)), '') end
      from (select r.*, q.max_running is not null as capped, q.fair, k.max_running is not null or k.paused_at is not null as limited,
                   coalesce(r.run_at, clock_timestamp() + coalesce(delay_ms, 0) * interval '1 millisecond') as start
              from (select coalesce(r.kind, ($2::text[])[1]) as kind, coalesce(r.queue, ($3::text[])[1]) as queue,
                           id, priority, run_at, delay_ms, args, pending, max_attempts, max_crashes, timeout_ms,
                           backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent
                      from unnest($1::uuid[], $2::text[], $3::text[], $4::smallint[], $5::timestamptz[], $6::bigint[],
                                  $7::jsonb[], $8::integer[], $9::integer[], $10::integer[], $11::bigint[], $12::jsonb[],
                                  $13::uuid[], $14::text[], $15::uuid[], $16::text[], $17::jsonb[], $18::jsonb[], $19::jsonb[],
                                  $20::text[])
                        as r(id, kind, queue, priority, run_at, delay_ms, args, pending, max_attempts, max_crashes, timeout_ms,
                             backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent)) as r
              left join queue.kind k on k.kind = r.kind
              left join queue.queue q on q.name = r.queue) as r
    returning queue, gate, state, run_at
)
select case state when 'available' then queue.news(queue, gate) else '' end from put
 where state = 'available' or (state = 'scheduled' and run_at < clock_timestamp() + interval '1 second')
 group by 1
