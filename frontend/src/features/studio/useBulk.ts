// A change of many videos, and how far it is.
import { onScopeDispose, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { BulkEdit, ChangeVideosRequest } from '@/api/types'
import * as api from './api'

const POLL_MS = 700

export function useBulk() {
  const edit = shallowRef<BulkEdit | null>(null)
  let stopped = false
  onScopeDispose(() => (stopped = true))

  /** The end of it. Throws a `Problem`; a question about how far it is that gets no answer is asked again. */
  async function run(request: ChangeVideosRequest): Promise<BulkEdit> {
    edit.value = await api.changeVideos(request)
    try {
      while (!edit.value.finished && !stopped) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS))
        edit.value = await api.getBulkEdit(edit.value.id).catch((cause: unknown) => {
          const problem = Problem.from(cause)
          if (problem.status === 404 || problem.status === 401) throw problem
          return edit.value as BulkEdit
        })
      }
      return edit.value
    } finally {
      edit.value = null
    }
  }
  return { edit, run }
}
