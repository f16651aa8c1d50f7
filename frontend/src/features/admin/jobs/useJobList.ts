// The list of jobs: page after page, and kept current.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import type { JobPage } from '@/api/types'
import { listJobs, type JobQuery } from '../api'
import { type JobFilters, toQuery } from './filters'
import { append, refreshed, type Shown } from './pages'

const PAGE = 50
/** The server gives no more at once; what is beyond is not refreshed. */
const LARGEST_PAGE = 200

export function useJobList(filters: () => JobFilters) {
  const shown = shallowRef<Shown>({ items: [], cursor: null })
  /** The first page of these filters is under way. */
  const loading = ref(true)
  const loadingMore = ref(false)
  /** Why there is no list. */
  const error = shallowRef<Problem | null>(null)
  /** Why the list is not current. */
  const trouble = shallowRef<Problem | null>(null)
  let wanted = PAGE
  let abort: AbortController | undefined

  const query = (limit: number, cursor?: string): JobQuery => ({ ...(toQuery(filters()) as Omit<JobQuery, 'limit'>), limit, cursor })

  /** One request at a time: what was under way is given up, and null in its place. */
  async function request(params: JobQuery): Promise<JobPage | Problem | null> {
    abort?.abort()
    const mine = (abort = new AbortController())
    const answer = await listJobs(params, mine.signal).catch((cause: unknown) => Problem.from(cause))
    return mine === abort ? answer : null
  }

  async function reload(): Promise<void> {
    wanted = PAGE
    loading.value = true
    loadingMore.value = false
    const page = await request(query(PAGE))
    if (page === null) return
    const failed = page instanceof Problem
    error.value = failed ? page : null
    shown.value = failed ? { items: [], cursor: null } : { items: page.items, cursor: page.next_cursor }
    trouble.value = null
    loading.value = false
  }

  /** Fetches anew what is on show. */
  async function refresh(): Promise<void> {
    if (loading.value || loadingMore.value || error.value) return
    const page = await request(query(Math.min(LARGEST_PAGE, wanted)))
    if (page === null) return
    const failed = page instanceof Problem
    // Rights may have been taken away; all else passes.
    if (failed && (page.status === 401 || page.status === 403)) error.value = page
    trouble.value = failed ? page : null
    if (!failed) shown.value = refreshed(shown.value, page, wanted)
  }

  async function loadMore(): Promise<void> {
    const { cursor } = shown.value
    if (cursor === null || loading.value || loadingMore.value) return
    loadingMore.value = true
    const page = await request(query(PAGE, cursor))
    if (page === null) return
    loadingMore.value = false
    const failed = page instanceof Problem
    trouble.value = failed ? page : null
    if (failed) return
    wanted += PAGE
    shown.value = append(shown.value, page)
  }

  watch(() => JSON.stringify(toQuery(filters())), reload, { immediate: true })
  onScopeDispose(() => abort?.abort())

  return {
    items: computed(() => shown.value.items),
    hasMore: computed(() => shown.value.cursor !== null),
    loading, loadingMore, error, trouble, reload, refresh, loadMore,
  }
}
