-- How the functions that the engine calls most are planned.
--
-- Without just-in-time compilation. They forbid scans, which PostgreSQL does by making a scan look ten billion times as
-- dear; the one scan that nothing can replace (of a table of settings with a few rows) then looks worth compiling, at
-- 100-250 ms a call: some 480 us a job at 500 jobs a call, some 40 without (both on a busy machine).
alter function queue.end_jobs(uuid[], uuid[], queue.state[], text[], text[], jsonb[], jsonb[]) set jit = off;
alter function queue.put_back(uuid[], uuid[], queue.state[], bigint[], boolean[], jsonb[]) set jit = off;
alter function queue.claim_gated(text[], bigint[], text[], text[], uuid, bigint, uuid) set jit = off;

-- And once. A statement is planned anew at each call while it seems that knowing the arguments helps: with one job in
-- the arrays it always does, and planning took five sixths of the call (317 us; 60 us with the kept plan; no difference
-- at 500 jobs a call). With scans, hash and merge joins forbidden, the kept plan goes by the indexes whatever the table
-- was like when it was made.
alter function queue.end_jobs(uuid[], uuid[], queue.state[], text[], text[], jsonb[], jsonb[])
    set plan_cache_mode = force_generic_plan;
alter function queue.put_back(uuid[], uuid[], queue.state[], bigint[], boolean[], jsonb[])
    set plan_cache_mode = force_generic_plan;
