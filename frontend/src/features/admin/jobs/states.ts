// The states of a job, and what may be done in each.
import type { JobLine } from '@/api/types'

/** In the order of a life; the last four are ends. */
export const STATES = ['waiting', 'scheduled', 'available', 'running', 'retryable', 'completed', 'cancelled', 'discarded', 'quarantined'] as const
export type JobState = (typeof STATES)[number]
export type Act = 'retry' | 'cancel' | 'discard'

const ENDS: readonly string[] = ['completed', 'cancelled', 'discarded', 'quarantined']
const AGAIN: readonly string[] = ['scheduled', 'retryable', 'cancelled', 'discarded', 'quarantined']

export function isState(word: string): word is JobState {
  return STATES.some((state) => state === word)
}

export function hasEnded(job: Pick<JobLine, 'state'>): boolean {
  return ENDS.includes(job.state)
}

/** What the server would do at this moment. It decides in the end: the state may have changed since. */
export function allowed(job: Pick<JobLine, 'state'> & { cancelling: boolean }): Act[] {
  const acts: Act[] = []
  if (AGAIN.includes(job.state)) acts.push('retry')
  if (!hasEnded(job)) acts.push(...(job.cancelling ? [] : (['cancel'] as const)), 'discard')
  return acts
}
