// Where items lead, and where they are bought.
import type { RouteLocationRaw } from 'vue-router'
import type { ItemType, Order } from './types'

/** `name`: of the creator; what a channel and a tip are looked up by. */
export function buyLink(item_type: ItemType, item_id: string, name?: string): RouteLocationRaw {
  return { path: '/payments/create', query: { item_type, item_id, name } }
}

/** The page of what was bought; null for what has none any more. */
export function itemLink({ item, seller }: Order): string | null {
  if (item.type === 'video') return `/videos/${item.id}`
  return seller ? `/channels/${encodeURIComponent(seller.username)}` : null
}
