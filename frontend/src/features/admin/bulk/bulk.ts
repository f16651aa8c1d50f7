// Acting on all jobs that a list is narrowed to: what may be asked for, and what came of it.
import type { JobDetail } from '@/api/types'
import { type JobFilters, WORDS } from '../jobs/filters'
import { type Act, allowed, hasEnded, STATES } from '../jobs/states'

/** What the server acts by. It refuses one that names nothing. */
export interface BulkFilter {
  state?: string[]
  kind?: string
  queue?: string
  tag?: string
  owner?: string
  group?: string
}
/** `capped`: the server counted no further. */
export interface BulkCount {
  count: number
  capped: boolean
}
/** `count`: about how many jobs it will act on. */
export interface BulkStart {
  job_id: string
  count: number
}

/** The filter of the list. Null: it leaves nothing out, and all jobs at once would be too many. */
export function bulkFilter(filters: JobFilters): BulkFilter | null {
  const filter: BulkFilter = {}
  if (filters.states.length > 0) filter.state = [...filters.states]
  for (const name of WORDS) if (filters[name]) filter[name] = filters[name]
  return Object.keys(filter).length === 0 ? null : filter
}

/** What could be done to jobs in some of these states; none: in all. */
export function bulkActs(states: JobFilters['states']): Act[] {
  const possible = (states.length > 0 ? states : STATES).flatMap((state) => allowed({ state, cancelling: false }))
  return (['retry', 'cancel', 'discard'] as const).filter((act) => possible.includes(act))
}

export interface BulkProgress {
  state: 'waiting' | 'running' | 'done' | 'failed'
  percent: number
  /** Known at the end. */
  changed: number | null
  skipped: number | null
  reason: string | null
}

/** How far the job that acts is. Null: nobody has looked yet. */
export function bulkProgress(job: JobDetail | null): BulkProgress {
  const result = (job?.result ?? {}) as Record<string, unknown>
  const done = job?.state === 'completed'
  const state = job === null ? 'waiting' : done ? 'done' : hasEnded(job) ? 'failed' : job.state === 'running' ? 'running' : 'waiting'
  return { state, percent: done ? 100 : (job?.progress?.percent ?? 0), changed: number(result.changed), skipped: number(result.skipped), reason: job?.reason ?? null }
}

const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
