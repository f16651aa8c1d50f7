// How many notifications are unread: one figure for all who show it, kept by the topic `user:{id}`.
import { onScopeDispose, readonly, ref, watch } from 'vue'
import { useSession } from '@/features/auth/session'
import { subscribe } from '@/features/realtime/connection'
import type { UserData } from '@/features/realtime/frames'
import { countUnread } from './api'

/** News of one moment (a fan-out, a page that marks all) are asked for once. */
const SOON_MS = 150

const unread = ref(0)
const more = ref(false)
/** Grows whenever there is something else to see: lists look again. */
const changes = ref(0)
let asked = 0

async function count(): Promise<void> {
  const turn = (asked += 1)
  try {
    const answer = await countUnread()
    if (turn !== asked) return // A later question is under way.
    unread.value = answer.unread
    more.value = answer.more
  } catch {
    // The last figure stays; the next news, or the next snapshot, asks again.
  }
}

/** Follows the person who is logged in, for as long as the caller lives. */
export function useUnread() {
  const session = useSession()
  let end: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function soon(): void {
    changes.value += 1
    clearTimeout(timer)
    timer = setTimeout(() => void count(), SOON_MS)
  }

  watch(
    () => session.user?.id,
    (id) => {
      end?.()
      end = undefined
      asked += 1 // What was asked for somebody else is not shown.
      unread.value = 0
      more.value = false
      if (id === undefined) return
      void count()
      end = subscribe(`user:${id}`, ({ kind, data }) => {
        const { type } = data as UserData
        // A snapshot comes after a gap: something may have been missed.
        if (kind === 'snapshot' || type === 'notification' || type === 'notifications_read') soon()
      })
    },
    { immediate: true },
  )
  onScopeDispose(() => {
    end?.()
    clearTimeout(timer)
  })
  return { unread: readonly(unread), more: readonly(more), changes: readonly(changes), soon }
}
