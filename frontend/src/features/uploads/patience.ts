// Trying again: silence is waited out, however long; answers that say "not now" are believed a few times.
import { Problem } from '@/api/problem'

export interface PatienceOptions {
  signal: AbortSignal
  /** Waits before the next try; ends early when the network comes back or the signal says stop. */
  pause(ms: number, signal: AbortSignal): Promise<void>
  /** True when nothing moves for want of a network. */
  onStall(stalled: boolean): void
  /** Called after each failure, before the pause; what it throws ends the tries. */
  onFault?(problem: Problem): Promise<void> | void
  /** Further answers that are worth another try. */
  passing?(problem: Problem): boolean
}

/** Answers that say "not now", before a person has to look. Silence does not count. */
const TRIES = 6
const LONGEST_PAUSE_MS = 15_000

export const aborted = () => new Problem(0, 'aborted', 'aborted')

export async function patiently<T>(work: () => Promise<T>, options: PatienceOptions): Promise<T> {
  const { signal } = options
  let refusals = 0
  for (let tries = 0; ; tries += 1) {
    try {
      const result = await work()
      options.onStall(false)
      return result
    } catch (error) {
      const problem = Problem.from(error)
      if (signal.aborted || problem.code === 'aborted') throw aborted()
      const silent = problem.code === 'network'
      // "Too many" says when to come back; that is an appointment and no refusal.
      if (!silent && problem.status !== 429) refusals += 1
      await options.onFault?.(problem)
      if (refusals >= TRIES || !(silent || isPassing(problem) || options.passing?.(problem))) throw problem
      options.onStall(silent)
      const wait = Math.min(500 * 2 ** Math.min(tries, 6), LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2)
      await options.pause(Math.max(wait, (problem.retryAfter ?? 0) * 1000), signal)
      if (signal.aborted) throw aborted()
    }
  }
}

function isPassing({ status }: Problem): boolean {
  return status === 408 || status === 429 || status >= 500
}

/** Waits in the browser: until the time is up, the network is back, or it is to stop. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer)
      window.removeEventListener('online', end)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    window.addEventListener('online', end)
    signal.addEventListener('abort', end)
    if (signal.aborted) end()
  })
}
