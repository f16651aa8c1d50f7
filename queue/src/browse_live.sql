select id, kind, queue, state, priority, attempt, max_attempts, crash_count, run_at, created_at, started_at,
       null::timestamptz as finished_at, worker_id, owner, group_id, tags, cancel_requested_at, null::text as code,
       errors -> -1 ->> 'error' as reason
  from queue.job
 where (cardinality($1::text[]) = 0 or state = any($1::text[]::queue.state[]))
   and ($2::text is null or kind = $2) and ($3::text is null or queue = $3) and ($4::uuid is null or owner = $4)
   and ($5::uuid is null or group_id = $5) and ($6::text is null or $6 = any(tags)) and ($7::uuid is null or id < $7)
 order by id desc limit $8
