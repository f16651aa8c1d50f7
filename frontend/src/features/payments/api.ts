// Calls about orders, prices and earnings.
import { send } from '@/api/client'
import type { Earnings, ItemType, NewOrder, Order, OrderDetail, OrderPage, OrderStatus, Period, Price, Settings } from './types'

const of = (id: string) => `/payments/${encodeURIComponent(id)}`
const priceOf = (type: ItemType, id: string) => `/prices/${type}/${encodeURIComponent(id)}`

/** With the same key it is the same order, however often it is sent. */
export function createOrder(data: NewOrder, key: string): Promise<Order> {
  return send({ method: 'post', url: '/payments', data, headers: { 'Idempotency-Key': key } })
}

export function listOrders(params: { status?: OrderStatus; cursor?: string }, signal?: AbortSignal): Promise<OrderPage> {
  return send({ url: '/payments', params, signal })
}

export function getOrder(id: string, signal?: AbortSignal): Promise<OrderDetail> {
  return send({ url: of(id), signal })
}

/** What it answers is left alone: the order is read again. */
export function cancelOrder(id: string): Promise<unknown> {
  return send({ method: 'post', url: `${of(id)}/cancel` })
}

export function requestRefund(id: string, reason: string): Promise<unknown> {
  return send({ method: 'post', url: `${of(id)}/refund-requests`, data: { reason } })
}

export function getSettings(): Promise<Settings> {
  return send({ url: '/payments/settings' })
}

export function getPrice(type: ItemType, id: string): Promise<Price> {
  return send({ url: priceOf(type, id) })
}

export function setPrice(type: ItemType, id: string, data: { amount: number; currency: string; period?: Period }): Promise<Price> {
  return send({ method: 'put', url: priceOf(type, id), data })
}

export function removePrice(type: ItemType, id: string): Promise<void> {
  return send({ method: 'delete', url: priceOf(type, id) })
}

export function getEarnings(params: { from: string; to: string }): Promise<Earnings> {
  return send({ url: '/earnings', params })
}
