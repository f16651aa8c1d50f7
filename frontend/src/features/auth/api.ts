// Calls about accounts and sessions.
import { send, sendPlain } from '@/api/client'
import type { Registration, Session, User } from '@/api/types'

export function register(data: Registration): Promise<User> {
  return sendPlain({ method: 'post', url: '/auth/register', data })
}

export function logIn(identifier: string, password: string): Promise<Session> {
  return sendPlain({ method: 'post', url: '/auth/login', data: { identifier, password } })
}

/** Trades the refresh cookie for a new access token. */
export function refresh(): Promise<Session> {
  return sendPlain({ method: 'post', url: '/auth/refresh' })
}

export function logOut(): Promise<void> {
  return send({ method: 'post', url: '/auth/logout' })
}
