import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope, ref } from 'vue'
import { Problem } from '@/api/problem'
import { getOrder } from './api'
import type { OrderDetail } from './types'
import { orderOf, useOrder } from './useOrder'

const live = vi.hoisted(() => ({ say: (() => undefined) as (data: unknown) => void, topic: '', ended: 0 }))
vi.mock('./api', () => ({ getOrder: vi.fn() }))
vi.mock('@/features/auth/session', () => ({ useSession: () => ({ loggedIn: true, user: { id: 'u' } }) }))
vi.mock('@/features/realtime/connection', async () => {
  const { reactive } = await import('vue')
  return {
    connection: reactive({ up: true, stale: false }),
    subscribe: (topic: string, listener: (delivery: { data: unknown }) => void) => {
      live.topic = topic
      live.say = (data) => listener({ data })
      return () => (live.ended += 1)
    },
  }
})

const made = (part: Partial<OrderDetail> = {}): OrderDetail => ({
  id: 'o1',
  item: { type: 'video', id: 'v1', title: 'A walk' },
  seller: null,
  amount: 9900,
  currency: 'TWD',
  exponent: 2,
  captured: 0,
  refunded: 0,
  status: 'pending',
  decline_code: null,
  checkout_url: null,
  message: '',
  created_at: '2026-01-01T00:00:00Z',
  paid_at: null,
  expires_at: '2026-01-01T01:00:00Z',
  quarantined: false,
  subscription_id: null,
  can: { cancel: true, pay: true, request_refund: false },
  moments: [],
  refunds: [],
  ...part,
})
const flush = () => vi.advanceTimersByTimeAsync(0)

let scope: EffectScope
function follow(returned = false) {
  scope = effectScope()
  return scope.run(() => useOrder(() => 'o1', () => returned))!
}

beforeEach(() => {
  vi.useFakeTimers()
  vi.mocked(getOrder).mockReset().mockResolvedValue(made())
  sessionStorage.clear()
})
afterEach(() => {
  scope?.stop()
  vi.useRealTimers()
})

describe('an order', () => {
  it('is read once and then followed', async () => {
    const { order } = follow()
    await flush()
    expect(order.value?.status).toBe('pending')
    expect(live.topic).toBe('order:o1')
    live.say({ type: 'order', order: made({ status: 'paid', captured: 9900 }) })
    expect(order.value?.status).toBe('paid')
    await vi.advanceTimersByTimeAsync(20_000)
    expect(getOrder).toHaveBeenCalledTimes(1)
  })

  it('is confirmed by its row and not by the way back', async () => {
    const { order, confirming } = follow(true)
    await flush()
    expect(confirming.value).toBe(true)
    vi.mocked(getOrder).mockResolvedValue(made({ status: 'paid' }))
    await vi.advanceTimersByTimeAsync(3000)
    expect(order.value?.status).toBe('paid')
    expect(confirming.value).toBe(false)
    await vi.advanceTimersByTimeAsync(20_000)
    expect(getOrder).toHaveBeenCalledTimes(2)
  })

  it('is not confirmed any more when the card was declined', async () => {
    const { confirming } = follow(true)
    await flush()
    live.say(made({ decline_code: 'card_declined' }))
    expect(confirming.value).toBe(false)
  })

  it('says when confirming takes long', async () => {
    const { slow } = follow(true)
    await flush()
    expect(slow.value).toBe(false)
    await vi.advanceTimersByTimeAsync(61_000)
    expect(slow.value).toBe(true)
  })

  it('does not go back to an answer that was under way while news came', async () => {
    let answer: (order: OrderDetail) => void = () => undefined
    const { order, reload } = follow()
    await flush()
    vi.mocked(getOrder).mockReturnValueOnce(new Promise((resolve) => (answer = resolve)))
    const looking = reload()
    live.say(made({ status: 'paid' }))
    answer(made())
    await looking
    expect(order.value?.status).toBe('paid')
  })

  it('is read again when the news carries no order', async () => {
    const { order } = follow()
    await flush()
    vi.mocked(getOrder).mockResolvedValue(made({ status: 'refunded' }))
    live.say({ type: 'order', id: 'o1' })
    await flush()
    expect(order.value?.status).toBe('refunded')
  })

  it('forgets its key when it has ended', async () => {
    sessionStorage.setItem('millrace.pay.video.v1', '{}')
    follow()
    await flush()
    expect(sessionStorage.length).toBe(1)
    live.say(made({ status: 'canceled' }))
    expect(sessionStorage.length).toBe(0)
  })

  it('stays on the page when a look fails, and goes when it is gone', async () => {
    const { order, error, reload } = follow()
    await flush()
    vi.mocked(getOrder).mockRejectedValueOnce(new Problem(503, 'unavailable', ''))
    await reload()
    expect([order.value?.id, error.value]).toEqual(['o1', null])
    vi.mocked(getOrder).mockRejectedValueOnce(new Problem(404, 'not_found', ''))
    await reload()
    expect(error.value?.status).toBe(404)
  })

  it('begins anew for another one', async () => {
    const id = ref('o1')
    scope = effectScope()
    const { order } = scope.run(() => useOrder(() => id.value))!
    await flush()
    const before = live.ended
    id.value = 'o2'
    await flush()
    expect(live.ended).toBe(before + 1)
    expect(live.topic).toBe('order:o2')
    expect(order.value).not.toBeNull()
  })
})

it('takes no order of another id', () => {
  expect(orderOf(made({ id: 'o2' }), 'o1')).toBeNull()
  expect(orderOf(null, 'o1')).toBeNull()
})
