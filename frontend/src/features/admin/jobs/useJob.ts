// One job, looked at again and again until it has ended.
import { onScopeDispose, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import type { JobDetail } from '@/api/types'
import { getJob } from '../api'
import { useLive } from '../useLive'
import { hasEnded } from './states'

export function useJob(id: () => string) {
  const job = shallowRef<JobDetail | null>(null)
  const error = shallowRef<Problem | null>(null)
  const trouble = shallowRef<Problem | null>(null)
  let abort: AbortController | undefined

  async function load(): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    try {
      const answer = await getJob(id(), request.signal)
      if (request !== abort) return
      job.value = answer
      error.value = trouble.value = null
    } catch (cause) {
      if (request !== abort) return
      const problem = Problem.from(cause)
      // A look that fails does not take away what is on the page, unless it is no longer there for this person.
      if (job.value === null || [401, 403, 404].includes(problem.status)) error.value = problem
      else trouble.value = problem
    }
  }

  watch(
    id,
    () => {
      job.value = error.value = trouble.value = null
      void load()
    },
    { immediate: true },
  )
  useLive(load, () => error.value !== null || job.value === null || hasEnded(job.value))
  onScopeDispose(() => abort?.abort())
  return { job, error, trouble, reload: load }
}
