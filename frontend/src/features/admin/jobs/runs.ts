// The runs of a job that something is known of: those that failed, and the latest whatever became of it.
import type { JobDetail } from '@/api/types'
import { failures } from './failures'
import { hasEnded } from './states'

export interface JobRun {
  run: number | null
  attempt: number | null
  /** `returned`: a worker that stopped gave it back, or it wants to go on later. */
  outcome: 'running' | 'completed' | 'stopped' | 'returned' | 'failed'
  /** When it ended, or began if it has not. */
  at: string | null
  worker: string | null
  /** Milliseconds; null while it runs. */
  took: number | null
  code: string | null
  error: string | null
}

type Told = Pick<JobDetail, 'state' | 'run_no' | 'attempt' | 'errors' | 'started_at' | 'finished_at' | 'worker_id'>

/** The engine keeps the first failure and the last nineteen. */
export const MOST_FAILURES = 20

/** The newest first. */
export function runs(job: Told): JobRun[] {
  const failed = failures(job.errors).map(({ run, attempt, at, worker, took, code, error }): JobRun => ({ run, attempt, outcome: 'failed', at, worker, took, code, error }))
  const known = failed.some(({ run }) => run === job.run_no)
  if (job.started_at === null || job.run_no === 0 || known) return failed
  return [latest(job, job.started_at), ...failed]
}

function latest(job: Told, started: string): JobRun {
  const running = job.state === 'running'
  const end = hasEnded(job) ? job.finished_at : null
  const outcome = running ? 'running' : job.state === 'completed' ? 'completed' : end === null ? 'returned' : 'stopped'
  const took = end === null ? null : Math.max(0, Date.parse(end) - Date.parse(started))
  // What gives back a run gives back its attempt.
  return { run: job.run_no, attempt: outcome === 'returned' ? null : job.attempt, outcome, at: end ?? started, worker: job.worker_id, took, code: null, error: null }
}
