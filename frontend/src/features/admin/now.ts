// The time, for everything that says how long something has lasted: one timer for all, and none while nobody asks.
import { onScopeDispose, readonly, type Ref, ref } from 'vue'

const now = ref(Date.now())
let users = 0
let timer: ReturnType<typeof setInterval> | undefined

/** Milliseconds since 1970, a second at a time. */
export function useNow(): Readonly<Ref<number>> {
  users += 1
  if (users === 1) {
    now.value = Date.now()
    timer = setInterval(() => {
      if (!document.hidden) now.value = Date.now()
    }, 1000)
  }
  onScopeDispose(() => {
    users -= 1
    if (users === 0) clearInterval(timer)
  })
  return readonly(now)
}
