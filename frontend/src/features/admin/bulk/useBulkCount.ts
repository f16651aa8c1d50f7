// How many jobs an act would change, asked before it is done.
import { onScopeDispose, ref, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import { countJobs } from '../api'
import type { Act } from '../jobs/states'
import type { BulkCount, BulkFilter } from './bulk'

export function useBulkCount() {
  const found = shallowRef<BulkCount | null>(null)
  const problem = shallowRef<Problem | null>(null)
  const counting = ref(false)
  let abort: AbortController | undefined

  async function count(act: Act, filter: BulkFilter): Promise<void> {
    forget()
    const mine = (abort = new AbortController())
    counting.value = true
    const answer = await countJobs(act, filter, mine.signal).catch((cause: unknown) => Problem.from(cause))
    if (mine !== abort) return
    counting.value = false
    if (answer instanceof Problem) problem.value = answer
    else found.value = answer
  }

  /** An answer that is still on its way is not heard. */
  function forget(): void {
    abort?.abort()
    abort = undefined
    found.value = problem.value = null
    counting.value = false
  }
  onScopeDispose(forget)
  return { found, problem, counting, count, forget }
}
