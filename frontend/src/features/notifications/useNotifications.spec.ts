import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import { listNotifications, type Notification, readAll, readNotification } from './api'
import { useNotifications } from './useNotifications'

vi.mock('./api', () => ({ listNotifications: vi.fn(), readAll: vi.fn(), readNotification: vi.fn() }))

const news = (id: string, read = false): Notification => ({
  id,
  kind: 'video_ready',
  actor: null,
  video: { id: 'v', title: 'A walk' },
  comment_id: null,
  upheld: null,
  read,
  created_at: '2026-01-01T00:00:00Z',
})
const settled = () => vi.waitFor(() => expect(list.loading.value).toBe(false))

let scope: EffectScope
let list: ReturnType<typeof useNotifications>

beforeEach(() => {
  vi.mocked(listNotifications).mockReset()
  vi.mocked(readAll).mockReset().mockResolvedValue()
  vi.mocked(readNotification).mockReset().mockResolvedValue()
  vi.mocked(listNotifications).mockResolvedValueOnce({ items: [news('3'), news('2', true)], next_cursor: '2' })
  scope = effectScope()
  list = scope.run(() => useNotifications(() => ({ limit: 2 })))!
})
afterEach(() => scope.stop())

describe('a list of notifications', () => {
  it('goes on where the page ended', async () => {
    await settled()
    vi.mocked(listNotifications).mockResolvedValueOnce({ items: [news('1')], next_cursor: null })
    await list.loadMore()
    expect(vi.mocked(listNotifications).mock.lastCall?.[0]).toEqual({ limit: 2, cursor: '2' })
    expect(list.items.value.map(({ id }) => id)).toEqual(['3', '2', '1'])
    await list.loadMore()
    expect(listNotifications).toHaveBeenCalledTimes(2)
  })

  it('marks up to the newest that was on show', async () => {
    await settled()
    await list.readShown()
    expect(readAll).toHaveBeenCalledWith('3')
    expect(list.items.value.every(({ read }) => read)).toBe(true)
  })

  it('asks once for one that is read, and looks again when that failed', async () => {
    await settled()
    await list.read('2')
    expect(readNotification).not.toHaveBeenCalled()
    vi.mocked(readNotification).mockRejectedValueOnce(new Error('offline'))
    vi.mocked(listNotifications).mockResolvedValueOnce({ items: [news('3')], next_cursor: null })
    await list.read('3')
    expect(list.items.value[0]?.read).toBe(false)
  })

  it('keeps what it shows when a quiet look fails', async () => {
    await settled()
    vi.mocked(listNotifications).mockRejectedValueOnce(new Error('offline'))
    await list.reload(true)
    expect(list.items.value).toHaveLength(2)
    expect(list.error.value).toBeNull()
  })
})
