// What the table of the studio shows, kept in the address.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import type { VideoQuery } from '@/features/videos/api'
import { CATEGORIES } from './labels'

export const SORTS = ['new', 'old', 'title', 'views'] as const
export const STATUSES = ['processing', 'ready', 'failed'] as const
export const VISIBILITIES = ['public', 'unlisted', 'private'] as const

export type StudioQuery = Pick<VideoQuery, 'query' | 'sort' | 'status' | 'visibility' | 'category' | 'tag'>

export function useStudioFilters() {
  const route = useRoute()
  const router = useRouter()
  const text = (name: string) => (typeof route.query[name] === 'string' && route.query[name] !== '' ? String(route.query[name]) : undefined)
  const one = <T extends string>(all: readonly T[], name: string) => all.find((entry) => entry === route.query[name])
  const filters = computed<StudioQuery>(() => ({
    query: text('q'),
    sort: one(SORTS, 'sort') ?? 'new',
    status: one(STATUSES, 'status'),
    visibility: one(VISIBILITIES, 'visibility'),
    category: one(CATEGORIES, 'category'),
    tag: text('tag'),
  }))
  const narrowed = computed(() => ['q', 'status', 'visibility', 'category', 'tag'].some((name) => text(name) !== undefined))

  function change(next: StudioQuery): void {
    const { query, sort, ...rest } = { ...filters.value, ...next }
    void router.replace({ query: { ...rest, q: query || undefined, sort: sort === 'new' ? undefined : sort } })
  }
  function clear(): void {
    void router.replace({ query: {} })
  }
  return { filters, narrowed, change, clear }
}
