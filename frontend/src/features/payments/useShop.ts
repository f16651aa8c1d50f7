// Whether anything can be bought here. It does not change while a page is open, so one answer serves all.
import { shallowRef } from 'vue'
import { getPrice, getSettings } from './api'
import type { ItemType, Price, Settings } from './types'

let asked: Promise<Settings> | undefined

/** What the server says of payments; a failure is asked again by the next one. */
export function shopSettings(): Promise<Settings> {
  asked ??= getSettings().catch((cause: unknown) => {
    asked = undefined
    throw cause
  })
  return asked
}

/** An offer is an extra of a page: where it cannot be had, the page goes without. */
export function useShop() {
  const settings = shallowRef<Settings | null>(null)
  void shopSettings().then(
    (known) => (settings.value = known.enabled ? known : null),
    () => undefined,
  )
  return { settings }
}

/** The price of something, or null where it has none. */
export function priceOf(type: ItemType, id: string): Promise<Price | null> {
  return getPrice(type, id).catch(() => null)
}
