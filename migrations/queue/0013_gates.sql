-- The claim behind gates says itself how long a job has waited, where its caller searched each job once more by its id,
-- and looks a policy up where its name changes, since the keys of one policy are neighbours. What both brought is in
-- tests/bench/README.md. Workers of the version before read the columns by their names and leave the new one out.

drop function queue.claim_gated(text[], bigint[], text[], text[], uuid, bigint, uuid);
create function queue.claim_gated(
    in_queues text[], in_free bigint[], in_after text[], in_kinds text[], in_token uuid, in_lease_ms bigint, in_worker uuid
) returns table (
    id uuid, kind text, queue text, args jsonb, attempt integer, max_attempts integer, run_no integer, timeout_ms bigint,
    backoff jsonb, owner uuid, group_id uuid, checkpoint jsonb, meta jsonb, traceparent text, created_at timestamptz,
    gate text, open_at timestamptz, waited double precision
) language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set jit = off
as $$
#variable_conflict use_column
declare
    c_most    constant integer := 2000; -- gates of one call
    v_open    text[];    -- kinds without a limit
    v_limits  jsonb;     -- how many more of each limited kind
    v_queue   text;
    v_free    bigint;
    v_share   bigint;
    v_after   text;
    v_gate    text;
    v_next    text;
    v_wrapped boolean;
    v_some    boolean;
    v_seen    integer;
    v_kind    text;
    v_key     text;
    v_take    bigint;
    v_policy  queue.limit_policy;
    v_name    text;      -- of the policy
    v_used    bigint;
    v_oldest  timestamptz;
    v_rows    tid[];     -- locked, so that they stay where they are
    v_all     tid[];
    v_taken   jsonb;     -- what this call has taken, by key
    v_again   boolean;   -- the walk has begun anew and may meet what it has taken
    v_open_at timestamptz;
    r         record;
begin
    for v_queue, v_free, v_after in select * from unnest(in_queues, in_free, in_after) loop
        perform from queue.job j where j.queue = v_queue and j.state = 'available' and j.gate is not null limit 1;
        continue when not found;
        v_all := '{}'; v_taken := '{}'; v_again := false; v_open_at := null; v_gate := coalesce(v_after, ''); v_seen := 0;

        select q.paused_at, q.max_running into r from queue.queue q where q.name = v_queue;
        continue when r.paused_at is not null;
        if r.max_running is not null then
            perform pg_advisory_xact_lock(hashtextextended('queue:' || v_queue, 0));
            select least(v_free, r.max_running - count(*)) into v_free
              from queue.job j where j.state = 'running' and j.queue = v_queue;
        end if;

        -- The locks of kinds are waited for, in order; those of keys are tried.
        v_limits := '{}';
        select coalesce(array_agg(k), '{}') into v_open from unnest(in_kinds) k
         where not exists (select from queue.kind l where l.kind = k and (l.max_running is not null or l.paused_at is not null));
        for r in select k.kind, case when k.paused_at is not null then 0 else k.max_running end as max
                   from queue.kind k
                  where k.kind = any(in_kinds) and (k.max_running is not null or k.paused_at is not null) order by k.kind
        loop
            if r.max > 0 then
                perform pg_advisory_xact_lock(hashtextextended('kind:' || r.kind, 0));
                select r.max - count(*) into r.max from queue.job j where j.state = 'running' and j.kind = r.kind;
            end if;
            v_limits := v_limits || jsonb_build_object(r.kind, greatest(r.max, 0));
        end loop;

        -- Round and round, a share at each gate, until nothing is left to take on a whole round.
        v_share := greatest(1, (v_free + 15) / 16);
        v_wrapped := v_gate = ''; v_some := false;
        while v_free > 0 and v_seen < c_most loop
            select j.gate into v_next from queue.job j
             where j.queue = v_queue and j.state = 'available' and j.gate > v_gate order by j.gate limit 1;
            if not found then
                exit when v_wrapped and not v_some;
                v_gate := ''; v_wrapped := true; v_some := false; v_again := true;
                continue;
            end if;
            v_gate := v_next;
            v_seen := v_seen + 1;
            v_kind := substring(v_gate from '^(?:queue\|)?kind:([^|]*)');
            v_key := substring(v_gate from '(?:^|\|)key:(.*)$');
            v_take := least(v_share, v_free);
            if v_kind is not null then
                if v_kind <> all (in_kinds) then
                    v_take := 0;
                elsif v_limits ? v_kind then
                    v_take := least(v_take, (v_limits ->> v_kind)::bigint);
                end if;
                if v_take = 0 then
                    -- Past all gates of this kind: `}` follows `|`.
                    v_gate := split_part(v_gate, 'kind:', 1) || 'kind:' || v_kind || '}';
                    continue;
                end if;
            end if;
            if v_key is not null then
                if not pg_try_advisory_xact_lock(hashtextextended('key:' || v_key, 0)) then
                    v_open_at := least(v_open_at, clock_timestamp() + interval '20 milliseconds');
                    continue;
                end if;
                -- Keys of one policy are neighbours.
                if v_name is distinct from split_part(v_key, ':', 1) then
                    v_name := split_part(v_key, ':', 1);
                    select * into v_policy from queue.limit_policy p where p.name = v_name;
                    if not found then
                        v_policy.max_running := 1; v_policy.rate := null;
                    end if;
                end if;
                if v_policy.max_running is not null then
                    select count(*) into v_used from queue.job j where j.state = 'running' and j.limit_key = v_key;
                    -- What this call has taken is not running yet.
                    v_used := v_used + coalesce((v_taken ->> v_key)::bigint, 0);
                    v_take := least(v_take, v_policy.max_running - v_used);
                    continue when v_take <= 0;
                end if;
                if v_policy.rate is not null then
                    delete from queue.rate_use u
                     where u.key = v_key and u.at <= clock_timestamp() - v_policy.period_ms * interval '1 millisecond';
                    select coalesce(sum(u.n), 0), min(u.at) into v_used, v_oldest from queue.rate_use u where u.key = v_key;
                    v_used := v_used + coalesce((v_taken ->> v_key)::bigint, 0);
                    v_take := least(v_take, v_policy.rate - v_used);
                    if v_take <= 0 then
                        v_open_at := least(v_open_at, coalesce(v_oldest, clock_timestamp()) + v_policy.period_ms * interval '1 millisecond');
                        continue;
                    end if;
                end if;
            end if;
            select array_agg(c.ctid) into v_rows from (
                select j.ctid from queue.job j
                 where j.queue = v_queue and j.state = 'available' and j.gate = v_gate
                   and (not v_again or j.ctid <> all (v_all))
                   and (j.kind = v_kind or v_kind is null and j.kind = any (v_open))
                 order by j.priority, j.run_at, j.id limit v_take for update skip locked) as c;
            continue when v_rows is null;
            v_all := v_all || v_rows;
            v_free := v_free - cardinality(v_rows);
            v_some := true;
            if v_limits ? v_kind then
                v_limits := v_limits || jsonb_build_object(v_kind, (v_limits ->> v_kind)::bigint - cardinality(v_rows));
            end if;
            if v_key is not null then
                v_taken := v_taken || jsonb_build_object(v_key, coalesce((v_taken ->> v_key)::bigint, 0) + cardinality(v_rows));
            end if;
        end loop;

        return query
            update queue.job j
               set state = 'running', run_no = j.run_no + 1, attempt = j.attempt + 1, token = in_token, worker_id = in_worker,
                   started_at = clock_timestamp(), lease_until = clock_timestamp() + in_lease_ms * interval '1 millisecond'
             where j.ctid = any(v_all)
            returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.run_no, j.timeout_ms, j.backoff, j.owner,
                      j.group_id, j.checkpoint, j.meta, j.traceparent, j.created_at, j.gate, null::timestamptz,
                      date_part('epoch', clock_timestamp() - greatest(j.run_at, j.created_at));
        -- After the starts, so that a period is never short.
        insert into queue.rate_use (key, at, n)
        select t.key, clock_timestamp(), t.value::integer from jsonb_each_text(v_taken) as t
         where exists (select from queue.limit_policy p where p.name = split_part(t.key, ':', 1) and p.rate is not null);
        return query
            select '00000000-0000-0000-0000-000000000000'::uuid, '', v_queue, '{}'::jsonb, 0, 0, 0, 0::bigint,
                   '{"base_ms": 0, "factor": 1, "max_ms": 0, "jitter": 0}'::jsonb,
                   null::uuid, null::uuid, null::jsonb, '{}'::jsonb, null::text, now(), v_gate, v_open_at, null::double precision;
    end loop;
end $$;
