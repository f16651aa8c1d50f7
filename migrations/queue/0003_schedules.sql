-- The runner of schedules. Times are computed by the workers, which know cron and time zones; that any number of them
-- fires a tick once is decided here, by `next_at` as the worker read it and by the unique tick.
alter table queue.schedule
    -- What the code says: a worker that starts brings new defaults, and leaves alone what an operator changed.
    add column defaults jsonb not null default '{}',
    -- The pattern and zone that next_at was computed for; after a change it is computed anew.
    add column computed_for text;

-- Moves a schedule on to `in_next` and enqueues a job for each of `in_ticks` that was not fired before. Returns no row
-- when another worker was faster or the schedule was changed meanwhile, else one, with how many jobs are new and which
-- queue to wake. A kind that no worker ever registered is skipped: -1, and the kind.
--
-- Unless every tick counts (`all`), a schedule has one job at a time: while the last is not done, a tick is its.
create function queue.fire_schedule(in_name text, in_was timestamptz, in_next timestamptz, in_ticks timestamptz[])
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
                               unique_key, meta, tags)
        values (v_id, s.kind, s.queue, 'available', k.priority, s.args, k.max_attempts, k.max_crashes, k.timeout_ms,
                k.backoff, v_key, jsonb_build_object('schedule', in_name, 'tick_at', v_tick),
                array['schedule:' || in_name]);
        v_fired := v_fired + 1;
    end loop;
    fired := v_fired;
    wake := s.queue;
    return next;
end $$;
