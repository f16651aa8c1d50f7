// Calls about accounts and sessions.
import { send, sendPlain } from '@/api/client'
import type { ConfirmedEmail, PublicConfig, Registration, SecondStep, Session, User } from '@/api/types'

export function register(data: Registration): Promise<User> {
  return sendPlain({ method: 'post', url: '/auth/register', data })
}

/** What visitors may know of the settings. */
export function getConfig(): Promise<PublicConfig> {
  return sendPlain({ method: 'get', url: '/config' })
}

export function forgotPassword(identifier: string): Promise<void> {
  return sendPlain({ method: 'post', url: '/auth/forgot', data: { identifier } })
}

export function resetPassword(token: string, password: string): Promise<void> {
  return sendPlain({ method: 'post', url: '/auth/reset', data: { token, password } })
}

export function confirmEmail(token: string): Promise<ConfirmedEmail> {
  return sendPlain({ method: 'post', url: '/auth/verify', data: { token } })
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
