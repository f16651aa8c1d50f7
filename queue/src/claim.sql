update queue.job j
   set state = 'running', run_no = run_no + 1, attempt = attempt + 1, token = $4, worker_id = $6,
       started_at = clock_timestamp(), lease_until = clock_timestamp() + $5 * interval '1 millisecond'
 where ctid = any(array(
       select c.ctid
         from unnest($1::text[], $2::bigint[]) as q(name, free)
        cross join lateral (
              select ctid from queue.job
               where queue = q.name and state = 'available' and gate is null
                 and kind = any(array(
                     select k from unnest($3) as k
                      where not exists (select from queue.kind l
                                         where l.kind = k and (l.paused_at is not null or l.max_running is not null))))
               order by priority, run_at, id
               limit q.free
                 for update skip locked) as c
        where not exists (select from queue.queue p where p.name = q.name and (p.paused_at is not null or p.max_running is not null))))
returning id, kind, queue, args, attempt, max_attempts, run_no, timeout_ms, backoff, owner, group_id, checkpoint,
          meta, traceparent, created_at,
          date_part('epoch', clock_timestamp() - greatest(run_at, created_at)) as waited
