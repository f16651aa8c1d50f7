-- Enqueueing: unique keys with states and modes, and from SQL alone.

-- Who holds a key from now on: the job that asks (`new`), or the one that has it (`held`), perhaps with what the asking
-- job would have done (`replaced`).
--
-- A holder that is in none of `in_states` has lost the key, as has one that retention has dropped; null stands for all
-- states in which the key is there at all. By the mode `replace`, a holder that has not started takes over arguments, time
-- and policy; `debounce` does the same and never beyond `in_most_ms` after the holder was enqueued. A holder that runs
-- keeps what it has, and the key passes to the new job.
create function queue.settle_key(
    in_key text, in_job uuid, in_ttl_ms bigint, in_states queue.state[], in_mode text, in_most_ms bigint, in_spec jsonb
) returns table (holder uuid, outcome text, wake text) language plpgsql as $$
#variable_conflict use_column
declare
    v_holder uuid;
    v_state  queue.state;
begin
    for i in 1..10 loop
        perform queue.take_keys(array[in_key], array[in_job], array[in_ttl_ms]);
        if found then
            return query select in_job, 'new', null::text;
            return;
        end if;
        select u.job_id into v_holder from queue.unique_key u where u.key = in_key;
        continue when not found;
        -- The job is locked first, as everywhere: it may be ending just now, and then it lets go of the key.
        select j.state into v_state from queue.job j where j.id = v_holder for no key update;
        if not found then
            select h.state into v_state from queue.history h where h.id = v_holder;
        end if;
        perform from queue.unique_key u where u.key = in_key and u.job_id = v_holder for update;
        continue when not found;
        if v_state is null or v_state <> all (in_states) then
            update queue.unique_key u
               set job_id = in_job, expires_at = clock_timestamp() + in_ttl_ms * interval '1 millisecond'
             where u.key = in_key;
            return query select in_job, 'new', null::text;
            return;
        end if;
        if in_mode = 'keep' then
            return query select v_holder, 'held', null::text;
            return;
        end if;
        return query
            update queue.job j
               set args = in_spec -> 'args', priority = (in_spec ->> 'priority')::smallint,
                   max_attempts = (in_spec ->> 'max_attempts')::integer, timeout_ms = (in_spec ->> 'timeout_ms')::bigint,
                   backoff = in_spec -> 'backoff', meta = in_spec -> 'meta', attempt = 0,
                   run_at = n.run_at,
                   state = case when j.state = 'waiting' then j.state
                                when n.run_at > clock_timestamp() then 'scheduled' else 'available' end
              from (select least(coalesce((in_spec ->> 'run_at')::timestamptz,
                                          clock_timestamp() + coalesce((in_spec ->> 'delay_ms')::bigint, 0) * interval '1 millisecond'),
                                 o.created_at + in_most_ms * interval '1 millisecond') as run_at
                      from queue.job o where o.id = v_holder) as n
             where j.id = v_holder and j.state <> 'running'
            returning v_holder, 'replaced', case j.state when 'available' then queue.news(j.queue, j.gate) else '' end;
        if found then
            return;
        end if;
        if v_state = 'running' then
            update queue.unique_key u set job_id = in_job where u.key = in_key;
            return query select in_job, 'new', null::text;
            return;
        end if;
        if v_state in ('completed', 'cancelled', 'discarded', 'quarantined') then
            return query select v_holder, 'held', null::text;
            return;
        end if;
        -- It has just started or ended: look again.
    end loop;
    raise exception 'the unique key % changes hands too fast', in_key using errcode = '40001';
end $$;

-- Enqueues a job from SQL: from a trigger, a function, or any language. `in_kind` is one that some worker has registered,
-- and gives the policy. Returns the id of the job, or of the one that holds its unique key. All of it belongs to the
-- caller's transaction.
--
--   select queue.enqueue('send_email', '{"to": "ann@example.org"}', '{"delay_ms": 60000, "unique_key": "welcome:ann"}');
--
-- Options, all of them optional: queue, priority, run_at, delay_ms, max_attempts, max_crashes, timeout_ms, backoff, owner,
-- limit_key, group_id, unique_key, unique_ttl_ms, unique_mode (keep, replace, debounce), unique_most_ms, tags, meta,
-- traceparent, after (ids of jobs that must complete first), after_any (ids of jobs that must end first),
-- wake (true: tell workers by NOTIFY; without it they look within a second. It serializes the commits of all who use it,
-- so leave it out where many enqueue at once).
--
-- Raises 22023 (invalid_parameter_value) for an unknown kind or option, arguments that are no object, or a parent that
-- does not exist.
create function queue.enqueue(in_kind text, in_args jsonb default '{}', in_options jsonb default '{}') returns uuid
language plpgsql as $$
#variable_conflict use_column
declare
    c_options constant text[] := array['queue', 'priority', 'run_at', 'delay_ms', 'max_attempts', 'max_crashes',
        'timeout_ms', 'backoff', 'owner', 'limit_key', 'group_id', 'unique_key', 'unique_ttl_ms', 'unique_mode',
        'unique_most_ms', 'tags', 'meta', 'traceparent', 'after', 'after_any', 'wake'];
    v_kind    queue.kind;
    v_id      uuid := queue.uuid7();
    v_queue   text;
    v_unknown text;
    v_start   timestamptz;
    v_gate    text;
    v_spec    jsonb;
    v_holder  record;
    v_parents uuid[] := '{}';
    v_live    uuid[] := '{}';
    v_cause   text;
    r         record;
begin
    select * into v_kind from queue.kind k where k.kind = in_kind;
    if not found then
        raise exception 'no worker has registered the kind %', in_kind using errcode = '22023';
    end if;
    if jsonb_typeof(in_args) is distinct from 'object' then
        raise exception 'the arguments of a % job must be a JSON object', in_kind using errcode = '22023';
    end if;
    select o into v_unknown from jsonb_object_keys(in_options) o where o <> all (c_options) limit 1;
    if found then
        raise exception 'there is no option %', v_unknown using errcode = '22023';
    end if;
    if coalesce(in_options ->> 'unique_mode', 'keep') not in ('keep', 'replace', 'debounce') then
        raise exception 'unique_mode is keep, replace or debounce, not %', in_options ->> 'unique_mode' using errcode = '22023';
    end if;
    v_queue := coalesce(in_options ->> 'queue', v_kind.queue);
    v_start := coalesce((in_options ->> 'run_at')::timestamptz,
                        clock_timestamp() + coalesce((in_options ->> 'delay_ms')::bigint, 0) * interval '1 millisecond');
    v_spec := jsonb_build_object('priority', v_kind.priority, 'max_attempts', v_kind.max_attempts,
                                 'max_crashes', v_kind.max_crashes, 'timeout_ms', v_kind.timeout_ms,
                                 'backoff', v_kind.backoff, 'meta', '{}'::jsonb, 'tags', '[]'::jsonb)
              || jsonb_strip_nulls(in_options) || jsonb_build_object('args', in_args);

    if v_spec ->> 'unique_key' is not null then
        select * into v_holder from queue.settle_key(
            v_spec ->> 'unique_key', v_id, (v_spec ->> 'unique_ttl_ms')::bigint, null,
            coalesce(v_spec ->> 'unique_mode', 'keep'), (v_spec ->> 'unique_most_ms')::bigint, v_spec);
        if v_holder.outcome <> 'new' then
            if v_holder.wake is not null and coalesce((v_spec ->> 'wake')::boolean, false) then
                perform pg_notify('queue', v_holder.wake);
            end if;
            return v_holder.holder;
        end if;
    end if;

    -- Parents are locked by id, so that none ends before this transaction does; those that have ended are in the history.
    select coalesce(array_agg(p::uuid order by p::uuid), '{}') into v_parents from (
        select jsonb_array_elements_text(coalesce(v_spec -> 'after', '[]'))
        union select jsonb_array_elements_text(coalesce(v_spec -> 'after_any', '[]'))) as a(p);
    for r in select j.id from queue.job j where j.id = any (v_parents) order by j.id for key share loop
        v_live := v_live || r.id;
    end loop;
    for r in select p.id, h.state from unnest(v_parents) as p(id) left join queue.history h on h.id = p.id
              where p.id <> all (v_live) loop
        if r.state is null then
            raise exception 'there is no job % to run after', r.id using errcode = '22023';
        end if;
        if r.state <> 'completed' and coalesce(v_spec -> 'after', '[]') ? r.id::text then
            v_cause := format('job %s ended %s', r.id, r.state);
        end if;
    end loop;

    v_gate := queue.gate_of(in_kind, v_queue, (v_spec ->> 'owner')::uuid, v_spec ->> 'limit_key');
    insert into queue.job (id, kind, queue, state, priority, run_at, args, pending, max_attempts, max_crashes, timeout_ms,
                           backoff, owner, limit_key, group_id, unique_key, meta, tags, traceparent, gate)
    values (v_id, in_kind, v_queue,
            case when v_live <> '{}' then 'waiting'::queue.state
                 when v_start > clock_timestamp() then 'scheduled' else 'available' end,
            (v_spec ->> 'priority')::smallint, v_start, in_args, cardinality(v_live),
            (v_spec ->> 'max_attempts')::integer, (v_spec ->> 'max_crashes')::integer, (v_spec ->> 'timeout_ms')::bigint,
            v_spec -> 'backoff', (v_spec ->> 'owner')::uuid, v_spec ->> 'limit_key', (v_spec ->> 'group_id')::uuid,
            v_spec ->> 'unique_key', v_spec -> 'meta', array(select jsonb_array_elements_text(v_spec -> 'tags')),
            v_spec ->> 'traceparent', v_gate);
    insert into queue.dependency (child, parent, ignore)
    select v_id, p, not coalesce(v_spec -> 'after', '[]') ? p::text from unnest(v_live) as l(p);
    if v_cause is not null then
        perform queue.end_jobs(array[v_id], array[null::uuid], array['cancelled'::queue.state], array['parent_failed'],
                               array[v_cause], array[null::jsonb], array[null::jsonb]);
    elsif coalesce((v_spec ->> 'wake')::boolean, false) then
        perform pg_notify('queue', case when v_start > clock_timestamp() then '' else queue.news(v_queue, v_gate) end);
    end if;
    return v_id;
end $$;
