// Which orders a list shows, kept in the address.
import { computed } from 'vue'
import { useRoute, useRouter } from 'vue-router'
import { type OrderStatus, STATUSES } from './types'

export function useStatusFilter() {
  const route = useRoute()
  const router = useRouter()
  const status = computed<OrderStatus | undefined>(() => STATUSES.find((entry) => entry === route.query.status))

  function change(next: Record<string, string | undefined>): void {
    void router.replace({ query: { ...route.query, ...next } })
  }
  return { status, change }
}
