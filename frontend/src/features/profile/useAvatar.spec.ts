import { createPinia, setActivePinia } from 'pinia'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { User } from '@/api/types'
import { useSession } from '@/features/auth/session'
import * as api from './api'
import { useAvatar } from './useAvatar'

vi.mock('./api')

const picture = new Blob(['x'], { type: 'image/png' })
const now = () => Promise.resolve()

describe('a picture of oneself', () => {
  beforeEach(() => {
    setActivePinia(createPinia())
    vi.resetAllMocks()
    useSession().user = { username: 'ann', avatar_url: null } as User
    vi.mocked(api.createAvatar).mockResolvedValue({ avatar_id: 'a', url: 'http://store/a', headers: {} })
    vi.mocked(api.completeAvatar).mockResolvedValue({ avatar_id: 'a', status: 'processing', error: null })
  })

  it('is shown once the job has made it', async () => {
    vi.mocked(api.getAvatar)
      .mockResolvedValueOnce({ avatar_id: 'a', status: 'processing', error: null })
      .mockResolvedValueOnce({ avatar_id: 'a', status: 'ready', error: null })
    vi.mocked(api.getMe).mockResolvedValue({ username: 'ann', avatar_url: '/api/avatars/a/256' } as User)
    const avatar = useAvatar(now)
    await avatar.send(picture)
    expect(useSession().user?.avatar_url).toBe('/api/avatars/a/256')
    expect(avatar.stage.value).toBe('idle')
  })

  it('says why it was refused', async () => {
    vi.mocked(api.getAvatar).mockResolvedValue({ avatar_id: 'a', status: 'failed', error: 'picture_too_large' })
    const avatar = useAvatar(now)
    await expect(avatar.send(picture)).rejects.toMatchObject({ code: 'picture_too_large' })
    expect(avatar.stage.value).toBe('idle')
  })

  it('is not sent at all when it is no picture or too large', async () => {
    const avatar = useAvatar(now)
    for (const file of [new Blob(['<svg/>'], { type: 'image/svg+xml' }), new Blob([], { type: 'image/png' }), new Blob([new Uint8Array(8 * 1024 * 1024 + 1)], { type: 'image/png' })]) {
      await expect(avatar.send(file)).rejects.toMatchObject({ code: 'picture_type' })
    }
    expect(api.createAvatar).not.toHaveBeenCalled()
  })

  it('stops looking when the job takes very long', async () => {
    vi.mocked(api.getAvatar).mockResolvedValue({ avatar_id: 'a', status: 'processing', error: null })
    await expect(useAvatar(now).send(picture)).rejects.toMatchObject({ code: 'picture_late' })
  })
})
