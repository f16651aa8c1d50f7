// A change of many videos, and how far it is.
import { onScopeDispose, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { BulkEdit, ChangeVideosRequest } from '@/api/types'
import * as api from './api'

const POLL_MS = 700

/**
 * Asks for a change and waits for its end, which it returns; `watch` is told how far it is and says whether to go on
 * waiting. Throws a `Problem`; a question about how far it is that gets no answer is asked again.
 */
export async function finish(request: ChangeVideosRequest, watch: (edit: BulkEdit) => boolean = () => true): Promise<BulkEdit> {
  let edit = await api.changeVideos(request)
  while (watch(edit) && !edit.finished) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    const last = edit
    edit = await api.getBulkEdit(last.id).catch((cause: unknown) => {
      const problem = Problem.from(cause)
      if (problem.status === 404 || problem.status === 401) throw problem
      return last
    })
  }
  return edit
}

export function useBulk() {
  const edit = shallowRef<BulkEdit | null>(null)
  let stopped = false
  onScopeDispose(() => (stopped = true))

  /** The end of it, or how far it was when the page was left. */
  async function run(request: ChangeVideosRequest): Promise<BulkEdit> {
    const watch = (now: BulkEdit) => {
      edit.value = now
      return !stopped
    }
    try {
      return await finish(request, watch)
    } finally {
      edit.value = null
    }
  }
  return { edit, run }
}
