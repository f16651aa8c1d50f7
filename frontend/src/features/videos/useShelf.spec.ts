import { beforeEach, expect, it, vi } from 'vitest'
import type { Video } from '@/api/types'
import { rowsAreUnknown, type ShelfItem, useShelf } from './useShelf'

const one: ShelfItem[] = [{ video: { id: 'a' } as Video }]
beforeEach(() => localStorage.clear())

it('keeps a place for what was there last time, and for nothing else', async () => {
  const first = useShelf('feed', async () => one)
  expect(first.shown.value).toBe(false)
  await vi.waitFor(() => expect(first.items.value).toEqual(one))
  expect(first.shown.value).toBe(true)

  const again = useShelf('feed', async () => [])
  const other = useShelf('trending', async () => one)
  expect([again.shown.value, other.shown.value]).toEqual([true, false])
  await vi.waitFor(() => expect([again.shown.value, other.shown.value]).toEqual([false, true]))
  expect([useShelf('feed', async () => []).shown.value, useShelf('trending', async () => one).shown.value]).toEqual([false, true])
})

it('is not there when it cannot be loaded', async () => {
  const { items, shown } = useShelf('feed', () => Promise.reject(new Error('away')))
  await vi.waitFor(() => expect(items.value).toEqual([]))
  expect(shown.value).toBe(false)
})

it('expects what is usual of whoever is here for the first time', async () => {
  expect(rowsAreUnknown()).toBe(true)
  const usual = useShelf('trending', async () => [], true)
  const rare = useShelf('feed', async () => one)
  expect([usual.shown.value, rare.shown.value]).toEqual([true, false])
  await vi.waitFor(() => expect([usual.shown.value, rare.shown.value]).toEqual([false, true]))
  expect(useShelf('trending', async () => [], true).shown.value).toBe(false)
  expect(rowsAreUnknown()).toBe(false)
})

it('says when it is settled, with something or with nothing', async () => {
  for (const load of [async () => one, async () => [], () => Promise.reject(new Error('away'))]) {
    const { settled } = useShelf('feed', load)
    expect(settled.value).toBe(false)
    await vi.waitFor(() => expect(settled.value).toBe(true))
  }
})
