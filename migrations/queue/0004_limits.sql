-- Limits, rates, fairness, and pauses of kinds.
--
-- A job that has to pass something besides a free slot is behind a gate, and the claim of all other jobs never sees it.
-- A gate is a text with the parts `queue`, `kind:...` and `key:...` or `owner:...`, in this order, joined by `|`: the
-- queue or the kind is limited or paused, the job has a limit key, or its queue is fair between owners. The claim walks
-- from gate to gate round and round, so what stands behind a closed one costs a step and not a scan, and nobody who
-- enqueues a million jobs keeps others waiting.
--
-- Nothing is counted up and down: who claims takes an advisory lock for what is limited, counts the running jobs,
-- and takes what is left, so there is no counter that a crash could leave wrong. (Counters in rows were tried by
-- calculation: two more updates per job, where this adds none.)
alter table queue.job add column gate text collate "C";

drop index queue.job_ready;
create index job_ready on queue.job (queue, priority, run_at, id) where state = 'available' and gate is null;
create index job_gated on queue.job (queue, gate, priority, run_at, id) where state = 'available' and gate is not null;
create index job_limited on queue.job (limit_key) where state = 'running' and limit_key is not null;

alter table queue.kind
    add column max_running integer check (max_running >= 0), -- over all workers
    add column limit_default integer,                        -- what the code says
    add column paused_at timestamptz,
    add column paused_by text,
    add column note text,
    -- Jobs that older transactions insert may lack their gate; looked for until none of those is left.
    add column gates_as_of xid8;
alter table queue.queue
    add column max_running integer check (max_running >= 0),
    add column fair boolean not null default false,
    add column gates_as_of xid8;

-- What the keys of jobs allow. A key names its policy by what precedes its first colon; without one, its jobs run one
-- at a time.
create table queue.limit_policy (
    name        text primary key,
    max_running integer check (max_running >= 0), -- of each key, over all workers; null: any number
    rate        integer check (rate > 0),         -- starts of each key within a period; null: any number
    period_ms   bigint check (period_ms > 0),
    defaults    jsonb not null default '{}',      -- what the code says
    updated_at  timestamptz not null default now(),
    check ((rate is null) = (period_ms is null))
);

-- Starts that still count against a rate, a row per claim. No fixed windows, which let twice the rate through where
-- they meet.
create table queue.rate_use (
    key text not null,
    at  timestamptz not null,
    n   integer not null
);
create index rate_use_key on queue.rate_use (key, at);

-- The gate of a job to be inserted.
create function queue.gate_of(in_kind text, in_queue text, in_owner uuid, in_limit_key text) returns text
language sql stable parallel safe as $$
    select nullif(concat_ws('|',
        case when q.max_running is not null then 'queue' end,
        case when k.max_running is not null or k.paused_at is not null then 'kind:' || in_kind end,
        coalesce('key:' || in_limit_key, case when q.fair then 'owner:' || in_owner end)), '')
      from (values (1)) as one
      left join queue.kind k on k.kind = in_kind
      left join queue.queue q on q.name = in_queue
$$;

-- Claims from behind the gates: up to `in_free` jobs of each queue, starting after the gate `in_after`. Returns the jobs,
-- and for each queue a row with the nil id: `gate` is where to go on, `open_at` when to come again without being
-- woken (a rate opens, or another worker was at it just now).
create function queue.claim_gated(
    in_queues text[], in_free bigint[], in_after text[], in_kinds text[], in_token uuid, in_lease_ms bigint, in_worker uuid
) returns table (
    id uuid, kind text, queue text, args jsonb, attempt integer, max_attempts integer, run_no integer, timeout_ms bigint,
    backoff jsonb, owner uuid, group_id uuid, checkpoint jsonb, meta jsonb, traceparent text, created_at timestamptz,
    gate text, open_at timestamptz
) language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
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
    v_used    bigint;
    v_oldest  timestamptz;
    v_ids     uuid[];
    v_all     uuid[];
    v_rates   jsonb;     -- starts of this call by key
    v_open_at timestamptz;
    r         record;
begin
    for v_queue, v_free, v_after in select * from unnest(in_queues, in_free, in_after) loop
        perform from queue.job j where j.queue = v_queue and j.state = 'available' and j.gate is not null limit 1;
        continue when not found;
        v_all := '{}'; v_rates := '{}'; v_open_at := null; v_gate := coalesce(v_after, ''); v_seen := 0;

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
                v_gate := ''; v_wrapped := true; v_some := false;
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
                select * into v_policy from queue.limit_policy p where p.name = split_part(v_key, ':', 1);
                if not found then
                    v_policy.max_running := 1; v_policy.rate := null;
                end if;
                if v_policy.max_running is not null then
                    select least(v_take, v_policy.max_running - count(*)) into v_take
                      from queue.job j where j.state = 'running' and j.limit_key = v_key;
                    -- What this call has taken is not running yet.
                    select v_take - count(*) into v_take from queue.job j where j.id = any(v_all) and j.limit_key = v_key;
                    continue when v_take <= 0;
                end if;
                if v_policy.rate is not null then
                    delete from queue.rate_use u
                     where u.key = v_key and u.at <= clock_timestamp() - v_policy.period_ms * interval '1 millisecond';
                    select coalesce(sum(u.n), 0), min(u.at) into v_used, v_oldest from queue.rate_use u where u.key = v_key;
                    v_used := v_used + coalesce((v_rates ->> v_key)::bigint, 0);
                    v_take := least(v_take, v_policy.rate - v_used);
                    if v_take <= 0 then
                        v_open_at := least(v_open_at, coalesce(v_oldest, clock_timestamp()) + v_policy.period_ms * interval '1 millisecond');
                        continue;
                    end if;
                end if;
            end if;
            select array_agg(c.id) into v_ids from (
                select j.id from queue.job j
                 where j.queue = v_queue and j.state = 'available' and j.gate = v_gate and j.id <> all (v_all)
                   and (j.kind = v_kind or v_kind is null and j.kind = any (v_open))
                 order by j.priority, j.run_at, j.id limit v_take for update skip locked) as c;
            continue when v_ids is null;
            v_all := v_all || v_ids;
            v_free := v_free - cardinality(v_ids);
            v_some := true;
            if v_limits ? v_kind then
                v_limits := v_limits || jsonb_build_object(v_kind, (v_limits ->> v_kind)::bigint - cardinality(v_ids));
            end if;
            if v_policy.rate is not null and v_key is not null then
                v_rates := v_rates || jsonb_build_object(v_key, coalesce((v_rates ->> v_key)::bigint, 0) + cardinality(v_ids));
            end if;
        end loop;

        return query
            update queue.job j
               set state = 'running', run_no = j.run_no + 1, attempt = j.attempt + 1, token = in_token, worker_id = in_worker,
                   started_at = clock_timestamp(), lease_until = clock_timestamp() + in_lease_ms * interval '1 millisecond'
             where j.id = any(v_all)
            returning j.id, j.kind, j.queue, j.args, j.attempt, j.max_attempts, j.run_no, j.timeout_ms, j.backoff, j.owner,
                      j.group_id, j.checkpoint, j.meta, j.traceparent, j.created_at, j.gate, null::timestamptz;
        -- After the starts, so that a period is never short.
        insert into queue.rate_use (key, at, n) select key, clock_timestamp(), value::integer from jsonb_each_text(v_rates);
        return query
            select '00000000-0000-0000-0000-000000000000'::uuid, '', v_queue, '{}'::jsonb, 0, 0, 0, 0::bigint,
                   '{"base_ms": 0, "factor": 1, "max_ms": 0, "jitter": 0}'::jsonb,
                   null::uuid, null::uuid, null::jsonb, '{}'::jsonb, null::text, now(), v_gate, v_open_at;
    end loop;
end $$;

-- What to tell others of a queue that has work: its name, with a star when it is behind a gate.
create function queue.news(in_queue text, in_gate text) returns text language sql immutable parallel safe as $$
    select in_queue || case when in_gate is null then '' else '*' end
$$;

-- The functions of the lifecycle, with gates: a job that is inserted gets its own, and one that stops running makes room.
-- (`end_jobs`, which ends jobs, follows in 0006_history.sql, where it changes for other reasons too.)
create or replace function queue.insert_specs(in_specs jsonb) returns setof text language plpgsql as $$
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
                               backoff, owner, limit_key, group_id, unique_key, on_failure, meta, tags, traceparent, gate)
        select v_id, v_spec ->> 'kind', v_spec ->> 'queue',
               case when coalesce((v_spec ->> 'delay_ms')::bigint, 0) > 0 then 'scheduled'::queue.state else 'available' end,
               (v_spec ->> 'priority')::smallint,
               clock_timestamp() + coalesce((v_spec ->> 'delay_ms')::bigint, 0) * interval '1 millisecond',
               v_spec -> 'args', (v_spec ->> 'max_attempts')::integer, (v_spec ->> 'max_crashes')::integer,
               (v_spec ->> 'timeout_ms')::bigint, v_spec -> 'backoff', (v_spec ->> 'owner')::uuid,
               v_spec ->> 'limit_key', (v_spec ->> 'group_id')::uuid, v_spec ->> 'unique_key',
               nullif(v_spec -> 'on_failure', 'null'), coalesce(nullif(v_spec -> 'meta', 'null'), '{}'),
               coalesce((select array_agg(t) from jsonb_array_elements_text(nullif(v_spec -> 'tags', 'null')) t), '{}'),
               v_spec ->> 'traceparent',
               queue.gate_of(v_spec ->> 'kind', v_spec ->> 'queue', (v_spec ->> 'owner')::uuid, v_spec ->> 'limit_key');
        return next case when coalesce((v_spec ->> 'delay_ms')::bigint, 0) > 0 then '' else queue.news(v_spec ->> 'queue',
            queue.gate_of(v_spec ->> 'kind', v_spec ->> 'queue', (v_spec ->> 'owner')::uuid, v_spec ->> 'limit_key')) end;
    end loop;
end $$;

create or replace function queue.put_back(
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
        returning j.id, j.queue, j.gate, j.state, j.run_at
    )
    select id, null::text from back
    union all
    select null::uuid, case state when 'available' then queue.news(queue, gate) else '' end from back
     where state = 'available' or run_at < clock_timestamp() + interval '1 second'
    union
    select null::uuid, queue.news(queue, gate) from back where gate is not null;

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

create or replace function queue.rescue(in_limit integer) returns table (id uuid, state queue.state, wake text) language plpgsql as $$
#variable_conflict use_column
declare
    r         record;
    v_ids     uuid[]; v_tokens uuid[]; v_states queue.state[]; v_codes text[]; v_reasons text[]; v_errors jsonb[];
    v_entry   jsonb;
    v_state   queue.state;
begin
    for r in
        select j.id, j.token, j.queue, j.gate, j.run_no, j.attempt, j.max_attempts, j.crash_count, j.max_crashes, j.worker_id,
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
        id := r.id; state := v_state; wake := case when v_state = 'available' then queue.news(r.queue, r.gate) end;
        return next;
    end loop;
    if v_ids is not null then
        return query select null::uuid, null::queue.state, e.wake
            from queue.end_jobs(v_ids, v_tokens, v_states, v_codes, v_reasons,
                                array_fill(null::jsonb, array[cardinality(v_ids)]), v_errors) e
            where e.wake is not null;
    end if;
end $$;

create or replace function queue.retry_ended(in_id uuid) returns text language plpgsql as $$
#variable_conflict use_column
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
                           traceparent, errors, created_at, gate)
    select id, kind, queue, 'available', priority, clock_timestamp(), args, max_attempts, max_crashes, run_no, timeout_ms,
           backoff, owner, limit_key, group_id, unique_key, on_failure, checkpoint, meta, tags,
           traceparent, errors, created_at, queue.gate_of(kind, queue, owner, limit_key)
      from back
    returning queue.news(queue, gate) into v_queue;
    return v_queue;
end $$;

create or replace function queue.promote(in_limit integer) returns table (wake text, next_due timestamptz) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    with due as (
        update queue.job j set state = 'available'
         where j.id = any(array(
            select id from queue.job
             where state in ('scheduled', 'retryable') and run_at <= clock_timestamp()
             order by run_at limit in_limit for update skip locked))
        returning j.queue, j.gate
    )
    select distinct queue.news(queue, gate), null::timestamptz from due;
    return query select null::text, min(run_at) from queue.job where state in ('scheduled', 'retryable');
end $$;

create or replace function queue.fire_schedule(in_name text, in_was timestamptz, in_next timestamptz, in_ticks timestamptz[])
returns table (fired integer, wake text) language plpgsql as $$
#variable_conflict use_column
declare
    s        record;
    k        record;
    v_tick   timestamptz;
    v_id     uuid;
    v_holder uuid;
    v_key    text;
    v_fired  integer := 0;
begin
    update queue.schedule set next_at = in_next
     where name = in_name and next_at = in_was and enabled
    returning name, kind, args, queue, catch_up into s;
    if not found then
        return;
    end if;
    select * into k from queue.kind where kind = s.kind;
    if not found then
        -- Not an error, which would undo the move and come again at once.
        fired := -1; wake := s.kind;
        return next;
        return;
    end if;
    if s.catch_up <> 'all' then
        v_key := 'schedule:' || in_name;
    end if;
    foreach v_tick in array in_ticks loop
        v_id := queue.uuid7();
        v_holder := null;
        insert into queue.schedule_tick (schedule, tick_at, job_id) values (in_name, v_tick, v_id) on conflict do nothing;
        continue when not found;
        if v_key is not null then
            loop
                perform queue.take_keys(array[v_key], array[v_id], array[null::bigint]);
                exit when found;
                select job_id into v_holder from queue.unique_key where key = v_key;
                exit when found;
            end loop;
        end if;
        if v_holder is not null then
            update queue.schedule_tick set job_id = v_holder where schedule = in_name and tick_at = v_tick;
            continue;
        end if;
        insert into queue.job (id, kind, queue, state, priority, args, max_attempts, max_crashes, timeout_ms, backoff,
                               unique_key, meta, tags, gate)
        values (v_id, s.kind, s.queue, 'available', k.priority, s.args, k.max_attempts, k.max_crashes, k.timeout_ms,
                k.backoff, v_key, jsonb_build_object('schedule', in_name, 'tick_at', v_tick),
                array['schedule:' || in_name], queue.gate_of(s.kind, s.queue, null, null));
        v_fired := v_fired + 1;
    end loop;
    fired := v_fired;
    wake := queue.news(s.queue, queue.gate_of(s.kind, s.queue, null, null));
    return next;
end $$;

-- Gives their gates to jobs that were inserted by transactions which did not know yet that their kind or queue has one.
-- Returns how many; call it again while it returns `in_limit`. Nothing to do costs a look at two small tables.
create function queue.regate(in_limit integer) returns integer language plpgsql as $$
#variable_conflict use_column
declare
    v_kinds  text[];
    v_queues text[];
    v_xmin   xid8 := pg_snapshot_xmin(pg_current_snapshot());
    v_ids    uuid[];
begin
    select array_agg(kind) into v_kinds from queue.kind where gates_as_of is not null;
    select array_agg(name) into v_queues from queue.queue where gates_as_of is not null;
    if v_kinds is null and v_queues is null then
        return 0;
    end if;
    with bare as (
        select j.id from queue.job j
         where (j.kind = any (v_kinds) or j.queue = any (v_queues)) and j.state <> 'running'
           and j.gate is distinct from queue.gate_of(j.kind, j.queue, j.owner, j.limit_key)
         limit in_limit for update skip locked
    ), gated as (
        update queue.job j set gate = queue.gate_of(j.kind, j.queue, j.owner, j.limit_key) from bare b where j.id = b.id
        returning j.id
    )
    select array_agg(id) into v_ids from gated;
    if v_ids is null then
        -- Whoever did not see the change has ended, so nothing bare can come any more.
        update queue.kind set gates_as_of = null where kind = any (v_kinds) and gates_as_of < v_xmin;
        update queue.queue set gates_as_of = null where name = any (v_queues) and gates_as_of < v_xmin;
    end if;
    return coalesce(cardinality(v_ids), 0);
end $$;

-- Operators' switches. `in_max` null takes the limit away. False: there is no such kind.
create function queue.set_kind(in_kind text, in_paused boolean, in_by text, in_note text) returns boolean language plpgsql as $$
begin
    update queue.kind
       set paused_at = case when in_paused then coalesce(paused_at, clock_timestamp()) end,
           paused_by = case when in_paused then in_by end, note = case when in_paused then in_note end,
           gates_as_of = pg_current_xact_id()
     where kind = in_kind;
    return found;
end $$;
create function queue.limit_kind(in_kind text, in_max integer) returns boolean language plpgsql as $$
begin
    update queue.kind set max_running = in_max, gates_as_of = pg_current_xact_id() where kind = in_kind;
    return found;
end $$;
create function queue.set_queue(in_name text, in_paused boolean, in_by text, in_note text) returns void language sql as $$
    insert into queue.queue as q (name, paused_at, paused_by, note)
    values (in_name, case when in_paused then clock_timestamp() end, case when in_paused then in_by end,
            case when in_paused then in_note end)
    on conflict (name) do update
       set paused_at = case when in_paused then coalesce(q.paused_at, excluded.paused_at) end,
           paused_by = excluded.paused_by, note = excluded.note
$$;
create function queue.limit_queue(in_name text, in_max integer, in_fair boolean) returns void language sql as $$
    insert into queue.queue as q (name, max_running, fair, gates_as_of) values (in_name, in_max, in_fair, pg_current_xact_id())
    on conflict (name) do update
       set max_running = excluded.max_running, fair = excluded.fair, gates_as_of = excluded.gates_as_of
$$;
