// What the person is to a video: likes, follows. Asked anew when somebody logs in or out.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { ViewerState } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { getViewerState } from './api'

export function useViewerState(id: () => string) {
  const session = useSession()
  const state = shallowRef<ViewerState | null>(null)
  /** Answered, or known not to be had: what waits for it need not wait any longer. */
  const settled = ref(false)
  let abort: AbortController | undefined

  async function load(): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    try {
      const answer = await getViewerState(id(), request.signal)
      if (request === abort) state.value = answer
    } catch {
      // The video itself says what is wrong; without this, only its buttons are missing.
    } finally {
      if (request === abort) settled.value = true
    }
  }

  function change(part: Partial<ViewerState>): void {
    if (state.value) state.value = { ...state.value, ...part }
  }

  watch(
    [id, () => session.user?.id, () => session.known],
    ([wanted], before) => {
      if (wanted !== before[0]) {
        state.value = null
        settled.value = false
      }
      if (session.known) void load()
    },
    { immediate: true },
  )
  onScopeDispose(() => abort?.abort())
  return { state, settled, change, reload: load }
}
