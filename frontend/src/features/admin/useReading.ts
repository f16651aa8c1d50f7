// Whether somebody reads: a pointer that has moved over the rows lately, the keyboard's focus in them, text they marked.
// What is read must not move.
import { computed, onScopeDispose, type Ref, ref, watch } from 'vue'

/** A pointer that rests this long has been left lying there. */
const RESTING_MS = 4000

export function useReading(area: Readonly<Ref<HTMLElement | null | undefined>>) {
  const pointed = ref(false)
  const focused = ref(false)
  const marked = ref(false)
  let timer: ReturnType<typeof setTimeout> | undefined

  function rest(): void {
    clearTimeout(timer)
    pointed.value = false
  }
  function move(): void {
    clearTimeout(timer)
    pointed.value = true
    timer = setTimeout(rest, RESTING_MS)
  }
  function focus(event: Event): void {
    // A click focuses too, and stays focused long after: only the keyboard's focus counts.
    focused.value = event.target instanceof Element && event.target.matches(':focus-visible')
  }
  function blur(): void {
    focused.value = false
  }
  function select(): void {
    const selection = document.getSelection()
    marked.value = selection !== null && !selection.isCollapsed && area.value?.contains(selection.anchorNode) === true
  }
  const listeners = { pointermove: move, pointerleave: rest, focusin: focus, focusout: blur }

  watch(
    area,
    (now, before) => {
      for (const [event, listener] of Object.entries(listeners)) {
        before?.removeEventListener(event, listener)
        now?.addEventListener(event, listener)
      }
      if (!now) {
        rest()
        focused.value = marked.value = false
      }
    },
    { immediate: true },
  )
  document.addEventListener('selectionchange', select)
  onScopeDispose(() => {
    clearTimeout(timer)
    document.removeEventListener('selectionchange', select)
  })
  return computed(() => pointed.value || focused.value || marked.value)
}
