// A list that comes page by page, of any kind of item. A change of what is asked for begins it anew.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'

export interface PageOf<T> {
  items: T[]
  next_cursor: string | null
}

/** `ask` fetches a page; `key` names an item; `asked` is watched. */
export function usePages<T>(ask: (cursor: string | undefined, signal: AbortSignal) => Promise<PageOf<T>>, key: (item: T) => string, asked: () => unknown = () => 0) {
  const items = shallowRef<T[]>([])
  const cursor = ref<string | null>(null)
  const loading = ref(true)
  const loadingMore = ref(false)
  const error = shallowRef<Problem | null>(null)
  let abort: AbortController | undefined

  async function reload(quiet = false): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    if (!quiet) loading.value = true
    try {
      const page = await ask(undefined, request.signal)
      if (request !== abort) return
      items.value = page.items
      cursor.value = page.next_cursor
      error.value = null
    } catch (cause) {
      if (request === abort && !(quiet && items.value.length > 0)) error.value = Problem.from(cause)
    } finally {
      if (request === abort) loading.value = false
    }
  }

  async function loadMore(): Promise<void> {
    if (cursor.value === null || loadingMore.value || !abort) return
    loadingMore.value = true
    const request = abort
    try {
      const page = await ask(cursor.value, request.signal)
      if (request !== abort) return
      const known = new Set(items.value.map(key))
      items.value = [...items.value, ...page.items.filter((item) => !known.has(key(item)))]
      cursor.value = page.next_cursor
    } catch (cause) {
      if (request === abort) error.value = Problem.from(cause)
    } finally {
      loadingMore.value = false
    }
  }

  /** Puts an item in the place of the one with its key, or takes it out. */
  function replace(name: string, item: T | null): void {
    items.value = items.value.flatMap((entry) => (key(entry) === name ? (item === null ? [] : [item]) : [entry]))
  }

  // By what it says: a list of the same words is another list whenever something that it was made of is told anew.
  watch(() => JSON.stringify(asked()), () => void reload(), { immediate: true })
  onScopeDispose(() => abort?.abort())

  return { items, loading, loadingMore, error, hasMore: computed(() => cursor.value !== null), reload, loadMore, replace }
}
