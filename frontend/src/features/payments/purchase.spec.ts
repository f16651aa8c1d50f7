import { describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import { getChannel } from '@/features/channels/api'
import { getPrice } from './api'
import { findPurchase, presets, wantedOf } from './purchase'

vi.mock('./api', () => ({ getPrice: vi.fn() }))
vi.mock('@/features/channels/api', () => ({ getChannel: vi.fn() }))
vi.mock('@/features/videos/api', () => ({ getVideo: vi.fn().mockResolvedValue({ title: 'A walk', owner: { username: 'ada' } }) }))

describe('what the address asks for', () => {
  it('is an item that can be paid', () => {
    expect(wantedOf({ item_type: 'video', item_id: 'v1' })).toEqual({ type: 'video', id: 'v1', name: null })
    expect(wantedOf({ item_type: 'car', item_id: 'v1' })).toBeNull()
    expect(wantedOf({ item_type: 'video', item_id: ['a', 'b'] })).toBeNull()
    expect(wantedOf({})).toBeNull()
  })

  it('does not say who gets a tip: the channel does', async () => {
    vi.mocked(getChannel).mockResolvedValue({ id: 'u1', username: 'ada' } as Awaited<ReturnType<typeof getChannel>>)
    expect(await findPurchase({ type: 'tip', id: 'u1', name: 'ADA' })).toMatchObject({ name: 'ada', price: null })
    await expect(findPurchase({ type: 'tip', id: 'u2', name: 'ada' })).rejects.toMatchObject({ status: 404 })
    await expect(findPurchase({ type: 'tip', id: 'u1', name: null })).rejects.toMatchObject({ status: 404 })
  })

  it('is not for sale without a price', async () => {
    vi.mocked(getPrice).mockRejectedValueOnce(new Problem(404, 'not_found', ''))
    await expect(findPurchase({ type: 'video', id: 'v1', name: null })).rejects.toMatchObject({ code: 'not_for_sale' })
    vi.mocked(getPrice).mockRejectedValueOnce(new Problem(503, 'unavailable', ''))
    await expect(findPurchase({ type: 'video', id: 'v1', name: null })).rejects.toMatchObject({ code: 'unavailable' })
  })
})

describe('amounts to choose from', () => {
  it('are whole and within the bounds', () => {
    expect(presets(3000, 300_000, 2)).toEqual([3000, 5000, 10_000, 20_000])
    expect(presets(100, 250, 0)).toEqual([100, 200])
    expect(presets(150, 199, 0)).toEqual([150])
  })
})
