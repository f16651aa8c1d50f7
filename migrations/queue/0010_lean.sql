-- Less to do for each job: narrower rows, one completion without arrays, and no look at limits where there are none.
-- What each change brought is in tests/bench/README.md.

-- A job without a backoff of its own has its kind's, as the worker that runs it knows it: 97 of a row's 320 bytes, written
-- at the insert, the claim and the ending, were the same in all jobs of a kind.
alter table queue.job alter column backoff drop not null;
alter table queue.history alter column backoff drop not null;

-- Whether any kind or queue is limited, paused or fair at all. Usually none is, and then an insert needs one look at an
-- empty table instead of two at full ones.
create table queue.gate_rule (
    what text primary key -- `kind:` or `queue:` and its name
);
create function queue.keep_gate_rule() returns trigger language plpgsql as $$
begin
    if tg_table_name = 'kind' then
        if new.max_running is not null or new.paused_at is not null then
            insert into queue.gate_rule values ('kind:' || new.kind) on conflict do nothing;
        else
            delete from queue.gate_rule where what = 'kind:' || new.kind;
        end if;
    elsif new.max_running is not null or new.fair then
        insert into queue.gate_rule values ('queue:' || new.name) on conflict do nothing;
    else
        delete from queue.gate_rule where what = 'queue:' || new.name;
    end if;
    return null;
end $$;
create trigger keep_gate_rule after insert or update on queue.kind for each row execute function queue.keep_gate_rule();
create trigger keep_gate_rule after insert or update on queue.queue for each row execute function queue.keep_gate_rule();
insert into queue.gate_rule select 'kind:' || kind from queue.kind where max_running is not null or paused_at is not null;
insert into queue.gate_rule select 'queue:' || name from queue.queue where max_running is not null or fair;

-- In plpgsql, so that it is not put into the plan of every insert, where most do not call it.
create or replace function queue.gate_of(in_kind text, in_queue text, in_owner uuid, in_limit_key text) returns text
language plpgsql stable parallel safe as $$
begin
    return (select nullif(concat_ws('|',
                case when q.max_running is not null then 'queue' end,
                case when k.max_running is not null or k.paused_at is not null then 'kind:' || in_kind end,
                coalesce('key:' || in_limit_key, case when q.fair then 'owner:' || in_owner end)), '')
              from (values (1)) as one
              left join queue.kind k on k.kind = in_kind
              left join queue.queue q on q.name = in_queue);
end $$;

-- Takes the edges from jobs that have completed to their dependants; returns what to wake. One decrement per child.
create function queue.free_children(in_parents uuid[]) returns setof text language plpgsql
set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    v_children uuid[];
    v_counts   integer[];
begin
    with edge as (
        delete from queue.dependency where parent = any(in_parents) returning child
    )
    select array_agg(child order by child), array_agg(n order by child) into v_children, v_counts
      from (select child, count(*)::integer as n from edge group by child) as c;
    perform from queue.job where id = any(v_children) order by id for update;
    return query
    with freed as (
        update queue.job j
           set pending = j.pending - c.n,
               state = case when j.pending > c.n then 'waiting'::queue.state
                            when j.run_at > clock_timestamp() then 'scheduled'
                            else 'available' end
          from unnest(v_children, v_counts) as c(id, n)
         where j.id = c.id and j.state = 'waiting'
        returning j.queue, j.gate, j.state
    )
    select distinct case state when 'available' then queue.news(queue, gate) else '' end from freed where state <> 'waiting';
end $$;

-- Completes one job within the caller's transaction: what `end_jobs` does, without its arrays. `held` false: the token is not
-- that of its last claim any more; then nothing has happened. `cancelled`: somebody asked for its end, and it is not
-- completed.
create function queue.complete_one(in_id uuid, in_token uuid, in_result jsonb)
returns table (held boolean, cancelled text, wake text[]) language plpgsql
set plan_cache_mode = force_generic_plan set enable_seqscan = off set jit = off
as $$
#variable_conflict use_column
declare
    g record;
begin
    with gone as (
        delete from queue.job where id = in_id and token = in_token and cancel_requested_at is null returning *
    ), kept as (
        insert into queue.history (
            id, kind, queue, state, priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
            run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
            on_failure, checkpoint, meta, tags, traceparent, errors, result, created_at, drop_on)
        select
            id, kind, queue, 'completed', priority, run_at, args, attempt, max_attempts, crash_count, max_crashes,
            run_no, token, worker_id, started_at, timeout_ms, backoff, owner, limit_key, group_id, unique_key,
            on_failure, checkpoint, meta, tags, traceparent, errors, coalesce(in_result, result), created_at,
            (clock_timestamp() at time zone 'UTC')::date + 1
                + coalesce((select q.keep_days from queue.queue q where q.name = j.queue),
                           (select q.keep_days from queue.queue q where q.name = '*'), 14)
          from gone j
        returning queue, kind, unique_key, created_at, run_at, started_at, finished_at
    )
    select kept.*, gate into g from kept, gone;
    if not found then
        select coalesce(cancel_reason, 'cancelled on request') into cancelled
          from queue.job where id = in_id and token = in_token for update;
        held := found;
        return next;
        return;
    end if;
    insert into queue.tally (minute, queue, kind, state, n, wait_ms, run_ms)
    values (date_trunc('minute', clock_timestamp()), g.queue, g.kind, 'completed', 1,
            date_part('epoch', g.started_at - greatest(g.created_at, g.run_at)) * 1000,
            date_part('epoch', g.finished_at - g.started_at) * 1000);
    if g.unique_key is not null then
        delete from queue.unique_key where job_id = in_id and expires_at is null;
    end if;
    wake := array(select queue.news(g.queue, g.gate) where g.gate is not null);
    perform from queue.dependency where parent = in_id limit 1;
    if found then
        wake := wake || array(select queue.free_children(array[in_id]));
    end if;
    held := true;
    return next;
end $$;
