-- Whoever asks for a unique key that is held locks nothing.
--
-- `on conflict do update` locks the row that it meets even where its condition spares it. So whoever asked held the key
-- until the end of his transaction: the job's ending waited for it, be it an hour, and who then went on to lock the job (to
-- replace it, or as a parent) waited for the ending, in a circle. Now a key is locked by those who take it or let go of
-- it, and always after its job.
--
-- Expired keys go first, in the order of the keys, and all are inserted in that order, so that two callers cannot hold what
-- the other wants.
create or replace function queue.take_keys(in_keys text[], in_jobs uuid[], in_ttls_ms bigint[])
returns setof text language plpgsql
set enable_seqscan = off
as $$
begin
    delete from queue.unique_key d
     where d.key = any (array(
            select u.key from queue.unique_key u
             where u.key = any (in_keys) and u.expires_at <= clock_timestamp() order by u.key for update));
    return query
        insert into queue.unique_key (key, job_id, expires_at)
        select k.key, k.job, clock_timestamp() + k.ttl * interval '1 millisecond'
          from unnest(in_keys, in_jobs, in_ttls_ms) as k(key, job, ttl)
         order by k.key
        on conflict do nothing
        returning key;
end $$;
