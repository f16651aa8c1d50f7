// A list of videos with pages, kept current by the live feed.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import type { Video } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { connection } from '@/features/realtime/connection'
import { listVideos, type VideoQuery } from './api'
import { isDeleted, noteFetched, restorations, withLive } from './liveFeed'

const POLL_MS = 5000

export function useVideoList(query: () => VideoQuery) {
  const session = useSession()
  const fetched = shallowRef<Video[]>([])
  const cursor = ref<string | null>(null)
  const loading = ref(true)
  const loadingMore = ref(false)
  const error = shallowRef<Problem | null>(null)
  let abort: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const items = computed(() => fetched.value.filter((video) => !isDeleted(video.id)).map(withLive))
  const hasMore = computed(() => cursor.value !== null)

  /** Fetches the first page. `quiet` keeps the old one on show meanwhile. */
  async function reload(quiet = false): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    if (!quiet) loading.value = true
    try {
      const page = await listVideos(query(), request.signal)
      page.items.forEach(noteFetched)
      fetched.value = page.items
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
    loadingMore.value = true
    const request = abort
    try {
      const page = await listVideos({ ...query(), cursor: cursor.value }, request?.signal)
      const known = new Set(fetched.value.map((video) => video.id))
      fetched.value = [...fetched.value, ...page.items.filter((video) => !known.has(video.id))]
      cursor.value = page.next_cursor
    } catch (cause) {
      if (request === abort) error.value = Problem.from(cause)
    } finally {
      loadingMore.value = false
    }
  }

  function poll(): void {
    clearTimeout(timer)
    if (!connection.stale || !items.value.some((video) => video.status === 'processing')) return
    timer = setTimeout(() => void reload(true).then(poll), POLL_MS)
  }

  watch(query, () => void reload(), { immediate: true, deep: true })
  watch([() => session.user?.id, restorations], () => void reload(true))
  watch(() => connection.stale, poll)
  onScopeDispose(() => {
    abort?.abort()
    clearTimeout(timer)
  })

  return { items, loading, loadingMore, error, hasMore, reload, loadMore }
}
