// One order, kept current: read once, then followed live, and polled while the socket is down or while somebody who came
// back from the provider waits. What the browser says of the payment counts for nothing: only the row does.
import { computed, onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import { useSession } from '@/features/auth/session'
import { connection, subscribe } from '@/features/realtime/connection'
import * as api from './api'
import { forgetKey } from './intention'
import type { OrderDetail } from './types'

const POLL_MS = 3000
/** After this long, the page says that it takes longer than usual. */
const SLOW_MS = 60_000

export const isOpen = ({ status }: Pick<OrderDetail, 'status'>) => status === 'created' || status === 'pending'

/** The order that a frame carries; null when it only says that there is news. */
export function orderOf(data: unknown, id: string): OrderDetail | null {
  const whole = data as { order?: unknown } | null
  const order = (whole?.order ?? whole) as Partial<OrderDetail> | null
  return order?.id === id && order.status !== undefined && Array.isArray(order.moments) && Array.isArray(order.refunds) ? (order as OrderDetail) : null
}

/** `returned`: the person comes back from the provider's page. */
export function useOrder(id: () => string, returned: () => boolean = () => false) {
  const session = useSession()
  const order = shallowRef<OrderDetail | null>(null)
  const error = shallowRef<Problem | null>(null)
  const slow = ref(false)
  // Counts live frames: an answer that was under way while one came may be older than it.
  let heard = 0
  let abort: AbortController | undefined
  let endTopic: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let slowTimer: ReturnType<typeof setTimeout> | undefined

  /** Came back, and nobody knows yet whether the money did. */
  const confirming = computed(() => returned() && order.value !== null && isOpen(order.value) && order.value.decline_code === null)

  async function load(): Promise<void> {
    const wanted = id()
    abort?.abort()
    const request = (abort = new AbortController())
    const before = heard
    try {
      const answer = await api.getOrder(wanted, request.signal)
      if (request !== abort) return
      error.value = null
      if (before === heard || order.value === null) accept(answer)
    } catch (cause) {
      if (request !== abort) return
      const problem = Problem.from(cause)
      // A look that fails does not take away what is on the page, unless the order is gone.
      if (order.value === null || problem.status === 404) error.value = problem
    }
  }

  function accept(next: OrderDetail): void {
    order.value = next
    if (!isOpen(next)) forgetKey({ item_type: next.item.type, item_id: next.item.id })
  }

  function receive(data: unknown): void {
    const next = orderOf(data, id())
    if (next === null) {
      void load()
      return
    }
    heard += 1
    error.value = null
    accept(next)
  }

  function poll(): void {
    clearTimeout(timer)
    const open = order.value !== null && isOpen(order.value)
    if (!confirming.value && !(open && connection.stale)) return
    timer = setTimeout(() => void load().then(poll), POLL_MS)
  }

  function stop(): void {
    abort?.abort()
    endTopic?.()
    endTopic = undefined
    clearTimeout(timer)
    clearTimeout(slowTimer)
  }

  watch(
    [id, () => session.user?.id],
    ([wanted]) => {
      stop()
      order.value = null
      error.value = null
      heard = 0
      void load()
      if (session.loggedIn) endTopic = subscribe(`order:${wanted}`, ({ data }) => receive(data))
    },
    { immediate: true },
  )
  watch([() => order.value?.status, confirming, () => connection.stale], poll)
  watch(
    confirming,
    (waits) => {
      slow.value = false
      clearTimeout(slowTimer)
      if (waits) slowTimer = setTimeout(() => (slow.value = true), SLOW_MS)
    },
    { immediate: true },
  )
  onScopeDispose(stop)

  return { order, error, confirming, slow, reload: load }
}
