// All queues, looked at again together with what shows them.
import { onScopeDispose, ref, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { QueueView } from '@/api/types'
import { listQueues } from '../api'

/** As they were when somebody last looked, so that who comes back finds the page as high as it was. */
const queues = shallowRef<QueueView[]>([])

export function useQueues() {
  const loading = ref(queues.value.length === 0)
  const error = shallowRef<Problem | null>(null)
  let abort: AbortController | undefined

  async function load(): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    try {
      const { items } = await listQueues(request.signal)
      if (request !== abort) return
      queues.value = items
      error.value = null
    } catch (cause) {
      if (request === abort) error.value = Problem.from(cause)
    } finally {
      if (request === abort) loading.value = false
    }
  }

  void load()
  onScopeDispose(() => abort?.abort())
  return { queues, loading, error, load }
}
