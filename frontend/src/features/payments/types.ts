// The records of payments. They follow the API document word by word and are written by hand only until
// `src/api/schema.d.ts` is generated with these operations: then each becomes a `Schemas['...']` of src/api/types.ts.
import type { PageOf } from '@/features/channels/usePages'

export const ITEM_TYPES = ['video', 'live', 'channel', 'tip'] as const
export type ItemType = (typeof ITEM_TYPES)[number]
export const STATUSES = ['created', 'pending', 'paid', 'partially_refunded', 'refunded', 'canceled', 'expired', 'failed', 'disputed'] as const
export type OrderStatus = (typeof STATUSES)[number]
export type Period = 'month' | 'year'

/** An amount in the minor unit of its currency; `exponent` says how many digits that unit has. */
export interface Money {
  amount: number
  currency: string
  exponent: number
}

export interface Price extends Money {
  period: Period | null
}

export interface Order extends Money {
  id: string
  item: { type: ItemType; id: string; title: string }
  seller: { id: string; username: string } | null
  captured: number
  refunded: number
  status: OrderStatus
  decline_code: string | null
  checkout_url: string | null
  message: string
  created_at: string
  paid_at: string | null
  expires_at: string
  quarantined: boolean
  subscription_id: string | null
  can: { cancel: boolean; pay: boolean; request_refund: boolean }
}

export interface Moment {
  kind: string
  amount: number | null
  code: string | null
  at: string
}

export interface Refund {
  id: string
  amount: number
  status: 'requested' | 'declined' | 'pending' | 'succeeded' | 'failed'
  reason: string
  answer: string
  created_at: string
}

export interface OrderDetail extends Order {
  moments: Moment[]
  refunds: Refund[]
}

export interface NewOrder {
  item_type: ItemType
  item_id: string
  /** Of tips alone. */
  amount?: number
  message?: string
}

export interface Settings {
  enabled: boolean
  currency: string
  exponent: number
  tip_min: number
  tip_max: number
  share_bps: number
}

export interface Earnings {
  currency: string
  exponent: number
  days: { day: string; earned: number; refunded: number }[]
  balance: number
  items: { item: Order['item']; sold: number; earned: number }[]
}

export interface AdminOrder extends OrderDetail {
  payer: { id: string; username: string } | null
  events: { id: string; kind: string; source: string; received_at: string; outcome: string | null }[]
  postings: Posting[]
}

export interface Posting {
  key: string
  kind: string
  occurred_at: string
  lines: { account: string; owner_id: string | null; amount: number }[]
}

export type OrderPage = PageOf<Order>
