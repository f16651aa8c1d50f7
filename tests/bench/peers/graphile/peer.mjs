// Graphile Worker under measurement: `node peer.mjs fill|drain URL JOBS`. tests/bench/README.md says what for.
import { once } from "node:events";
import pg from "pg";
import { makeWorkerUtils, runOnce } from "graphile-worker";

const [, , part, connectionString, count] = process.argv;
const jobs = Number(count);
const PACK = 1000;
const CONCURRENCY = 24;

// Seconds since 1970, finer than Date.now().
const now = () => (performance.timeOrigin + performance.now()) / 1000;

async function fill(pool) {
  const utils = await makeWorkerUtils({ connectionString });
  await utils.migrate();
  await utils.release();
  await pool.query("truncate graphile_worker._private_jobs");
  for (let from = 0; from < jobs; from += PACK) {
    const size = Math.min(PACK, jobs - from);
    const specs = Array.from({ length: size }, (_, i) => ({ identifier: "noop", payload: { id: from + i } }));
    await pool.query(
      `select 1 from graphile_worker.add_jobs(
         array(select json_populate_recordset(null::graphile_worker.job_spec, $1::json)))`,
      [JSON.stringify(specs)],
    );
  }
}

async function drain(pool) {
  let first = 0;
  let ran = 0;
  const preset = {
    worker: {
      connectionString,
      concurrentJobs: CONCURRENCY,
      maxPoolSize: CONCURRENCY + 1,
      localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  };
  const taskList = {
    noop: () => {
      first ||= now();
      ran += 1;
    },
  };
  console.log("ready");
  process.stdin.resume();
  await once(process.stdin, "data");
  // It returns when nothing is left and every completion is flushed.
  await runOnce({ preset, taskList });
  const stopped = now();
  const { rows } = await pool.query("select count(*)::int as n from graphile_worker._private_jobs");
  console.log(JSON.stringify({ first: first || stopped, stopped, jobs: ran, left: rows[0].n }));
}

const pool = new pg.Pool({ connectionString, max: 1 });
await (part === "fill" ? fill(pool) : drain(pool));
await pool.end();
process.exit(0);
