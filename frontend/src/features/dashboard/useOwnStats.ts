// Counts over all of one's own videos: how many in which state.
import { computed, onScopeDispose, ref, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { Video } from '@/api/types'
import { listVideos } from '@/features/videos/api'
import { isDeleted, withLive } from '@/features/videos/liveFeed'

const PAGE = 100
/** Beyond this many pages the numbers are shown as "at least". */
const MOST_PAGES = 5

export function useOwnStats() {
  const all = shallowRef<Video[]>([])
  const loading = ref(true)
  const partial = ref(false)
  const error = shallowRef<Problem | null>(null)
  const abort = new AbortController()

  const videos = computed(() => all.value.filter((video) => !isDeleted(video.id)).map(withLive))
  const processing = computed(() => videos.value.filter((video) => video.status === 'processing'))
  const failed = computed(() => videos.value.filter((video) => video.status === 'failed' && video.error?.code !== 'cancelled'))
  const ready = computed(() => videos.value.filter((video) => video.status === 'ready').length)

  async function load(): Promise<void> {
    loading.value = all.value.length === 0
    try {
      const gathered: Video[] = []
      let cursor: string | undefined
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const { items, next_cursor } = await listVideos({ owner: 'me', sort: 'new', limit: PAGE, cursor }, abort.signal)
        gathered.push(...items)
        cursor = next_cursor ?? undefined
        if (cursor === undefined) break
      }
      all.value = gathered
      partial.value = cursor !== undefined
      error.value = null
    } catch (cause) {
      error.value = Problem.from(cause)
    } finally {
      loading.value = false
    }
  }

  void load()
  onScopeDispose(() => abort.abort())
  return { videos, processing, failed, ready, partial, loading, error, load }
}
