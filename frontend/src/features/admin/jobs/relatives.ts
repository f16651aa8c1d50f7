// Related jobs in the order in which one wants to know of them.
import type { JobLinks } from '@/api/types'

export type JobLink = JobLinks['items'][number]

/** What went wrong first, then what goes on, then what is over or gone; the oldest first within each. */
export function mostTelling(links: readonly JobLink[]): JobLink[] {
  return [...links].sort((a, b) => rank(a) - rank(b))
}

const ORDER = ['discarded', 'quarantined', 'cancelled', 'running', 'retryable', 'available', 'scheduled', 'waiting', 'completed']

function rank({ state }: JobLink): number {
  const place = ORDER.indexOf(state ?? '')
  return place < 0 ? ORDER.length : place
}
