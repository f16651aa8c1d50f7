// Search words and order of a list, kept in the address, so that a link or a reload shows the same list.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'

export type Sort = 'new' | 'old' | 'title'
export const SORTS: readonly Sort[] = ['new', 'old', 'title']

export function useQueryFilters() {
  const route = useRoute()
  const router = useRouter()
  const query = computed(() => (typeof route.query.q === 'string' ? route.query.q : ''))
  const sort = computed<Sort>(() => SORTS.find((entry) => entry === route.query.sort) ?? 'new')

  function change(next: { query?: string; sort?: Sort }): void {
    const q = next.query ?? query.value
    const order = next.sort ?? sort.value
    void router.replace({ query: { ...route.query, q: q || undefined, sort: order === 'new' ? undefined : order } })
  }
  return { query, sort, change }
}
