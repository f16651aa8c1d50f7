// The filters of the list, kept in the address, so that a link or a reload shows the same list.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { fromQuery, type JobFilters, NO_FILTERS, toQuery } from './filters'

export function useJobFilters() {
  const route = useRoute()
  const router = useRouter()
  const filters = computed(() => fromQuery(route.query))
  const narrowed = computed(() => Object.keys(toQuery(filters.value)).length > 0)

  /** Each change is a step back in the browser's history: who looked too closely goes back. */
  function change(next: Partial<JobFilters>): void {
    void router.push({ query: toQuery({ ...filters.value, ...next }) })
  }
  const clear = (): void => change(NO_FILTERS)
  return { filters, narrowed, change, clear }
}
