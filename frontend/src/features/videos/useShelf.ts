// A row of videos that may be empty, and then is not there. One that was there last time keeps its place while it loads;
// one that was not must not push anything away meanwhile.
import { computed, shallowRef } from 'vue'
import type { Video } from '@/api/types'

export interface ShelfItem {
  video: Video
  /** Where the person stopped, in seconds. */
  position?: number | null
}

const KEY = 'millrace.rows'

/** Loads the row of this name. One that cannot be loaded stays away: what is below is what must come. `usual`: whoever is
 * here for the first time is likely to find something in it. */
export function useShelf(name: string, load: () => Promise<readonly ShelfItem[]>, usual = false) {
  const items = shallowRef<readonly ShelfItem[] | null>(null)
  const expected = rowsOfLastTime()?.includes(name) ?? usual
  void load()
    .catch(() => [])
    .then((found) => {
      items.value = found
      remember(name, found.length > 0)
    })
  const shown = computed(() => (items.value === null ? expected : items.value.length > 0))
  const settled = computed(() => items.value !== null)
  return { items, shown, settled }
}

/** Whether nothing is known of what the rows have: what is below them waits then, since they may go as well as stay. */
export function rowsAreUnknown(): boolean {
  return rowsOfLastTime() === undefined
}

/** None: nobody was here before, or nothing may be remembered. */
function rowsOfLastTime(): string[] | undefined {
  try {
    return localStorage.getItem(KEY)?.split(' ').filter(Boolean)
  } catch {
    return undefined
  }
}

function remember(name: string, there: boolean): void {
  const others = (rowsOfLastTime() ?? []).filter((entry) => entry !== name)
  try {
    localStorage.setItem(KEY, [...others, ...(there ? [name] : [])].join(' '))
  } catch {
    // Storage is blocked: nothing is expected next time.
  }
}
