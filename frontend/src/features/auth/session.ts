// The session: who is logged in, and the access token, which lives in memory only (a script injection could read
// local storage). The refresh token is an HttpOnly cookie, so a reload or a second tab gets its own access token.
import { defineStore } from 'pinia'
import { computed, ref, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { Session, User } from '@/api/types'
import * as api from './api'

/** A token is renewed this long before it ends, so that no request has to wait for it. */
const RENEW_BEFORE_MS = 60_000

export const useSession = defineStore('session', () => {
  const user = shallowRef<User | null>(null)
  const token = ref<string | null>(null)
  /** False until the first refresh has been answered: until then nobody knows whether the person is logged in. */
  const known = ref(false)
  const loggedIn = computed(() => user.value !== null)

  let renewing: Promise<string | null> | null = null
  let starting: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  // Counts log-ins and log-outs: an answer to a refresh that was sent before one of them is not applied.
  let age = 0
  const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel('millrace.session')

  if (tabs) {
    tabs.onmessage = (message: MessageEvent<string>) => {
      if (message.data === 'logged-out') clear()
      if (message.data === 'logged-in' && !loggedIn.value) void refresh()
    }
  }

  /** Finds out once whether the cookie still holds a session. */
  function start(): Promise<void> {
    starting ??= refresh().then(() => {
      known.value = true
    })
    return starting
  }

  /** Renews the access token; calls at the same time share one request. Null means: log in again. */
  function refresh(): Promise<string | null> {
    renewing ??= renew().finally(() => {
      renewing = null
    })
    return renewing
  }

  async function renew(): Promise<string | null> {
    const before = age
    try {
      // The refresh token rotates: tabs take turns, so that each sends the newest cookie.
      const session = await inTurn(api.refresh)
      if (before === age) accept(session)
    } catch (error) {
      const { status } = Problem.from(error)
      if (before === age) {
        if (status >= 400 && status < 500 && status !== 429) clear()
        else if (loggedIn.value) schedule(10_000) // The server is away; the session may well be alive.
      }
    }
    return token.value
  }

  /** Null when that was all; otherwise the challenge that a code answers. */
  async function logIn(identifier: string, password: string): Promise<string | null> {
    const answer = await api.logIn(identifier, password)
    if ('challenge' in answer) return answer.challenge
    enter(answer)
    return null
  }

  async function answerChallenge(challenge: string, code: string): Promise<void> {
    enter(await api.answerChallenge(challenge, code))
  }

  /** The person changed something about themselves. */
  function become(next: User | null): void {
    if (user.value) user.value = next ?? user.value
  }

  function enter(session: Session): void {
    age += 1
    accept(session)
    known.value = true
    tabs?.postMessage('logged-in')
  }

  async function logOut(): Promise<void> {
    try {
      await api.logOut()
    } finally {
      age += 1
      clear()
      tabs?.postMessage('logged-out')
    }
  }

  function accept(session: Session): void {
    token.value = session.access_token
    user.value = session.user
    schedule(Math.max(session.expires_in * 1000 - RENEW_BEFORE_MS, (session.expires_in * 1000) / 2))
  }

  function schedule(delay: number): void {
    clearTimeout(timer)
    timer = setTimeout(() => void refresh(), delay)
  }

  function clear(): void {
    clearTimeout(timer)
    token.value = null
    user.value = null
  }

  return { user, token, known, loggedIn, start, refresh, logIn, answerChallenge, become, logOut }
})

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (typeof navigator === 'undefined' || !navigator.locks) return work()
  return navigator.locks.request('millrace.refresh', work) as Promise<T>
}
