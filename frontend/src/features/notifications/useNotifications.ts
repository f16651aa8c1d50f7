// A list of notifications with pages.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import { listNotifications, type Notification, type NotificationQuery, readAll, readNotification } from './api'

export function useNotifications(query: () => NotificationQuery) {
  const items = shallowRef<Notification[]>([])
  const cursor = ref<string | null>(null)
  const loading = ref(true)
  const loadingMore = ref(false)
  const error = shallowRef<Problem | null>(null)
  let abort: AbortController | undefined

  /** Fetches the first page. `quiet` keeps the old one on show meanwhile, and when it fails. */
  async function reload(quiet = false): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    if (!quiet) loading.value = true
    try {
      const page = await listNotifications(query(), request.signal)
      if (request !== abort) return
      items.value = page.items
      cursor.value = page.next_cursor
      error.value = null
    } catch (cause) {
      if (request === abort && !quiet) error.value = Problem.from(cause)
    } finally {
      if (request === abort) loading.value = false
    }
  }

  async function loadMore(): Promise<void> {
    if (cursor.value === null || loadingMore.value) return
    const request = abort
    loadingMore.value = true
    try {
      const page = await listNotifications({ ...query(), cursor: cursor.value }, request?.signal)
      if (request !== abort) return
      items.value = [...items.value, ...page.items]
      cursor.value = page.next_cursor
    } catch (cause) {
      if (request === abort) error.value = Problem.from(cause)
    } finally {
      loadingMore.value = false
    }
  }

  /** Shows it as read at once; should the server not hear of it, it is new again with the next look. */
  async function read(id: string): Promise<void> {
    if (!items.value.some((item) => item.id === id && !item.read)) return
    items.value = items.value.map((item) => (item.id === id ? { ...item, read: true } : item))
    await readNotification(id).catch(() => reload(true))
  }

  async function readShown(): Promise<void> {
    const newest = items.value[0]
    if (!newest) return
    items.value = items.value.map((item) => ({ ...item, read: true }))
    await readAll(newest.id).catch(() => reload(true))
  }

  watch(query, () => void reload(), { immediate: true, deep: true })
  onScopeDispose(() => abort?.abort())

  return { items, cursor, loading, loadingMore, error, reload, loadMore, read, readShown }
}
