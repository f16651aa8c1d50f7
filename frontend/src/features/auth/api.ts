// Calls about accounts and sessions.
import { send, sendPlain } from '@/api/client'
import type { Registration, SecondStep, Session, User } from '@/api/types'

export function register(data: Registration): Promise<User> {
  return sendPlain({ method: 'post', url: '/auth/register', data })
}

/** Answers with a session, or asks for a code. */
export function logIn(identifier: string, password: string): Promise<Session | SecondStep> {
  return sendPlain({ method: 'post', url: '/auth/login', data: { identifier, password } })
}

/** The second step of a log-in. */
export function answerChallenge(challenge: string, code: string): Promise<Session> {
  return sendPlain({ method: 'post', url: '/auth/login/second', data: { challenge, code } })
}

/** Trades the refresh cookie for a new access token. */
export function refresh(): Promise<Session> {
  return sendPlain({ method: 'post', url: '/auth/refresh' })
}

export function logOut(): Promise<void> {
  return send({ method: 'post', url: '/auth/logout' })
}
