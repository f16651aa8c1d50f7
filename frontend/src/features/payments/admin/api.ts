// Calls of staff about payments.
import { send } from '@/api/client'
import type { AdminOrder, OrderPage, OrderStatus } from '../types'
import type { Check, Difference } from './types'

const of = (id: string) => `/admin/payments/${encodeURIComponent(id)}`

export function searchPayments(params: { status?: OrderStatus; query?: string; quarantined?: boolean; cursor?: string }, signal?: AbortSignal): Promise<OrderPage> {
  return send({ url: '/admin/payments', params, signal })
}

export function inspectPayment(id: string, signal?: AbortSignal): Promise<AdminOrder> {
  return send({ url: of(id), signal })
}

export function refundPayment(id: string, data: { amount: number; reason: string }, key: string): Promise<AdminOrder> {
  return send({ method: 'post', url: `${of(id)}/refunds`, data, headers: { 'Idempotency-Key': key } })
}

export function reconcilePayment(id: string): Promise<void> {
  return send({ method: 'post', url: `${of(id)}/reconcile` })
}

export function listChecks(): Promise<{ items: Check[] }> {
  return send({ url: '/admin/payments/checks' })
}

export function getCheck(id: string): Promise<Check & { items: Difference[] }> {
  return send({ url: `/admin/payments/checks/${encodeURIComponent(id)}` })
}
