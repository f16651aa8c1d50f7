// Looks again every two seconds as long as somebody looks: not while it is switched off, the tab is hidden, or it is held.
import { computed, onScopeDispose, ref, watch } from 'vue'

const PERIOD_MS = 2000

/** The switch: one for all admin pages of this tab. */
export const live = ref(true)

/** `look` is called again and again, never twice at the same time; at once when what kept it from being called ends. */
export function useLive(look: () => Promise<unknown>, held: () => boolean = () => false): void {
  const hidden = ref(document.hidden)
  const going = computed(() => live.value && !hidden.value && !held())
  let timer: ReturnType<typeof setTimeout> | undefined
  let looking = false
  let over = false

  async function once(): Promise<void> {
    clearTimeout(timer)
    if (looking) return
    looking = true
    await look().catch(() => undefined) // Who looks says what went wrong.
    looking = false
    plan()
  }

  function plan(): void {
    clearTimeout(timer)
    if (going.value && !over) timer = setTimeout(() => void once(), PERIOD_MS)
  }

  const onVisibility = (): void => {
    hidden.value = document.hidden
  }
  document.addEventListener('visibilitychange', onVisibility)
  watch(going, (now) => (now ? void once() : clearTimeout(timer)))
  plan()
  onScopeDispose(() => {
    over = true
    clearTimeout(timer)
    document.removeEventListener('visibilitychange', onVisibility)
  })
}
