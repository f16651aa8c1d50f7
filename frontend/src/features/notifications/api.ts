// Notifications over HTTP.
import { send, sendPlain } from '@/api/client'
import type { components } from '@/api/schema'

type Schemas = components['schemas']
export type Notification = Schemas['Notification']
export type NotificationKind = Schemas['NotificationKind']
export type NotificationPage = Schemas['NotificationPage']
export type Preference = Schemas['NotificationPreference']
export type Unread = Schemas['Unread']

export interface NotificationQuery {
  unread?: boolean
  cursor?: string
  limit?: number
}

export function listNotifications(query: NotificationQuery, signal?: AbortSignal): Promise<NotificationPage> {
  return send<NotificationPage>({ url: '/notifications', params: query, ...(signal ? { signal } : {}) })
}

export function countUnread(): Promise<Unread> {
  return send<Unread>({ url: '/notifications/unread' })
}

export function readNotification(id: string): Promise<void> {
  return send<void>({ method: 'post', url: `/notifications/${id}/read` })
}

/** Up to the newest that the person saw: what came since stays new. */
export function readAll(upTo: string): Promise<void> {
  return send<void>({ method: 'post', url: '/notifications/read', data: { up_to: upTo } })
}

export async function listPreferences(): Promise<Preference[]> {
  return (await send<Schemas['NotificationPreferences']>({ url: '/notifications/preferences' })).items
}

export function changePreference(kind: NotificationKind, change: Schemas['ChangePreferenceRequest']): Promise<Preference> {
  return send<Preference>({ method: 'patch', url: `/notifications/preferences/${kind}`, data: change })
}

/** Ends mail of the kind that a link names. Whoever has the link may; nobody need be logged in. */
export function endEmail(token: string): Promise<Schemas['Unsubscribed']> {
  return sendPlain<Schemas['Unsubscribed']>({ method: 'post', url: '/email/unsubscribe', params: { token } })
}
