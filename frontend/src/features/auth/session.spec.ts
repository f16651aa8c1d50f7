import { createPinia, setActivePinia } from 'pinia'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import type { Session } from '@/api/types'
import * as api from './api'
import { useSession } from './session'

vi.mock('./api')

function answer(token: string, expires_in = 900): Session {
  const user = {
    id: 'u',
    username: 'ann',
    email: 'ann@example.org',
    role: 'user' as const,
    avatar_url: null,
    bio: '',
    language: 'en',
    time_zone: null,
    second_factor: false,
    email_verified: true,
    is_active: true,
    created_at: '2026-01-01T00:00:00Z',
  }
  return { access_token: token, expires_in, user }
}

describe('session', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    vi.resetAllMocks()
    setActivePinia(createPinia())
  })
  afterEach(() => vi.useRealTimers())

  it('asks once however many callers need a new token', async () => {
    let open: (session: Session) => void = () => undefined
    vi.mocked(api.refresh).mockReturnValueOnce(new Promise((resolve) => (open = resolve)))
    const session = useSession()
    const calls = [session.refresh(), session.refresh(), session.refresh()]
    await vi.advanceTimersByTimeAsync(0)
    open(answer('one'))
    expect(await Promise.all(calls)).toEqual(['one', 'one', 'one'])
    expect(api.refresh).toHaveBeenCalledTimes(1)
    vi.mocked(api.refresh).mockResolvedValueOnce(answer('two'))
    expect(await session.refresh()).toBe('two')
  })

  it('renews the token before it ends', async () => {
    vi.mocked(api.refresh).mockResolvedValueOnce(answer('one', 900)).mockResolvedValueOnce(answer('two', 900))
    const session = useSession()
    await session.start()
    await vi.advanceTimersByTimeAsync(839_000)
    expect(session.token).toBe('one')
    await vi.advanceTimersByTimeAsync(2000)
    expect(session.token).toBe('two')
  })

  it('is logged out when the cookie is refused, and stays logged in when the server is away', async () => {
    vi.mocked(api.refresh).mockResolvedValueOnce(answer('one'))
    const session = useSession()
    await session.start()
    vi.mocked(api.refresh).mockRejectedValueOnce(new Problem(503, 'unavailable', 'busy'))
    expect(await session.refresh()).toBe('one')
    expect(session.loggedIn).toBe(true)
    vi.mocked(api.refresh).mockRejectedValueOnce(new Problem(401, 'unauthenticated', 'no'))
    expect(await session.refresh()).toBeNull()
    expect(session.loggedIn).toBe(false)
  })

  it('does not come back to life when a refresh is answered after logging out', async () => {
    vi.mocked(api.logIn).mockResolvedValueOnce(answer('one'))
    vi.mocked(api.logOut).mockResolvedValueOnce(undefined)
    let open: (session: Session) => void = () => undefined
    vi.mocked(api.refresh).mockReturnValueOnce(new Promise((resolve) => (open = resolve)))
    const session = useSession()
    await session.logIn('ann', 'secret')
    const late = session.refresh()
    await session.logOut()
    open(answer('late'))
    expect(await late).toBeNull()
    expect(session.loggedIn).toBe(false)
  })

  it('knows nobody before the first answer', async () => {
    vi.mocked(api.refresh).mockRejectedValueOnce(new Problem(401, 'unauthenticated', 'no'))
    const session = useSession()
    expect(session.known).toBe(false)
    await session.start()
    expect(session.known).toBe(true)
    expect(session.loggedIn).toBe(false)
  })
})
