// The idempotency key of what somebody is about to pay. It lives in the tab for as long as the order may still be paid:
// a double click, the way back and a reload all send the same key, which is the same order.
import type { NewOrder } from './types'

type Item = Pick<NewOrder, 'item_type' | 'item_id'>
const place = ({ item_type, item_id }: Item) => `millrace.pay.${item_type}.${item_id}`

/** The key of this very request; another amount or message is another request, and another key. */
export function keyFor(order: NewOrder): string {
  const request = JSON.stringify([order.amount ?? null, order.message ?? ''])
  try {
    const kept = JSON.parse(sessionStorage.getItem(place(order)) ?? 'null') as { request: string; key: string } | null
    if (kept?.request === request && typeof kept.key === 'string') return kept.key
  } catch {
    // What is not readable is replaced.
  }
  const key = crypto.randomUUID()
  sessionStorage.setItem(place(order), JSON.stringify({ request, key }))
  return key
}

/** The order has ended: whoever pays for the item again means another one. */
export function forgetKey(item: Item): void {
  sessionStorage.removeItem(place(item))
}
