// The life of a job as four steps, with the time between them.
import type { JobLine } from '@/api/types'
import { hasEnded } from './states'

type Times = Pick<JobLine, 'state' | 'created_at' | 'run_at' | 'started_at' | 'finished_at'>

export interface Step {
  name: 'created' | 'due' | 'started' | 'ended'
  /** `now`: the job is between this step and the next; `never`: it ended without. */
  state: 'done' | 'now' | 'ahead' | 'never'
  at: string | null
  /** Milliseconds until the next step; until now where nobody knows when that will be. */
  took: number | null
}

export function timeline(job: Times, now: number): Step[] {
  const ended = hasEnded(job)
  const end = ended ? job.finished_at : null
  // What waits for another attempt has started before; that run is one of its attempts.
  const start = ended || job.state === 'running' ? job.started_at : null
  const isDue = start !== null || (ended ? before(job.run_at, end) : Date.parse(job.run_at) <= now)
  const due = later(start === null ? job.run_at : earlier(job.run_at, start), job.created_at)
  const moments: [Step['name'], string | null, boolean][] = [
    ['created', job.created_at, true],
    ['due', due, isDue],
    ['started', start, start !== null],
    ['ended', end, ended],
  ]
  const reached = moments.filter(([, , there]) => there)
  return moments.map(([name, at, there]): Step => {
    const place = reached.findIndex(([known]) => known === name)
    const next = reached[place + 1]?.[1] ?? null
    const latest = there && place === reached.length - 1
    const state = !there ? (ended ? 'never' : 'ahead') : latest && !ended ? 'now' : 'done'
    const until = latest && !ended ? (name === 'created' ? due : new Date(now).toISOString()) : next
    return { name, state, at, took: there ? took(at, until) : null }
  })
}

function took(from: string | null, to: string | null): number | null {
  return from !== null && to !== null ? Math.max(0, Date.parse(to) - Date.parse(from)) : null
}

const before = (a: string, b: string | null): boolean => b !== null && Date.parse(a) <= Date.parse(b)
const earlier = (a: string, b: string): string => (Date.parse(a) < Date.parse(b) ? a : b)
const later = (a: string, b: string): string => (Date.parse(a) > Date.parse(b) ? a : b)

/** The one moment that a line of a list has room for. */
export function moment(job: Times): { name: 'due' | 'started' | 'ended' | 'created'; at: string } {
  if (hasEnded(job)) return { name: 'ended', at: job.finished_at ?? job.created_at }
  if (job.state === 'running') return { name: 'started', at: job.started_at ?? job.created_at }
  if (job.state === 'waiting') return { name: 'created', at: job.created_at }
  return { name: 'due', at: later(job.run_at, job.created_at) }
}

/** How long its last run took, or takes so far; null when none has begun, or a new one has not. */
export function ranFor(job: Times, now: number): number | null {
  if (job.started_at === null) return null
  const end = hasEnded(job) ? job.finished_at : job.state === 'running' ? new Date(now).toISOString() : null
  return end === null ? null : Math.max(0, Date.parse(end) - Date.parse(job.started_at))
}
