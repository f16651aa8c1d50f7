import { describe, expect, it } from 'vitest'
import type { JobLine, JobPage } from '@/api/types'
import { append, refreshed, type Shown } from './pages'

const job = (n: number, state = 'available') => ({ id: `0000000${n}`, state }) as JobLine
const page = (numbers: number[], next: number | null, state?: string): JobPage => ({ items: numbers.map((n) => job(n, state)), next_cursor: next === null ? null : `0000000${next}` })
const shown = (numbers: number[], cursor: number | null): Shown => ({ items: page(numbers, null).items, cursor: cursor === null ? null : `0000000${cursor}` })
const ids = ({ items }: Shown) => items.map(({ id }) => Number(id))

describe('the next page', () => {
  it('comes after what is shown, and no job twice', () => {
    const more = append(shown([9, 8, 7], 7), page([7, 6, 5], 5))
    expect(ids(more)).toEqual([9, 8, 7, 6, 5])
    expect(more.cursor).toBe('00000005')
  })
})

describe('a refresh', () => {
  it('brings new jobs and changes, and keeps what is older than its page', () => {
    const after = refreshed(shown([7, 6, 5, 4, 3], 3), page([8, 7, 6], 6, 'running'), 9)
    expect(ids(after)).toEqual([8, 7, 6, 5, 4, 3])
    expect(after.items.map(({ state }) => state)).toEqual(['running', 'running', 'running', 'available', 'available', 'available'])
    expect(after.cursor).toBe('00000003')
  })

  it('leaves what has not changed as the object it was', () => {
    const before = shown([7, 6], null)
    const after = refreshed(before, { items: [job(7, 'running'), job(6)], next_cursor: null }, 9)
    expect(after.items.map((one, place) => one === before.items[place])).toEqual([false, true])
  })

  it('takes away what matches no longer', () => {
    expect(ids(refreshed(shown([7, 6, 5, 4], 4), page([7, 5], 5), 9))).toEqual([7, 5, 4])
    expect(ids(refreshed(shown([7, 6], null), page([], null), 9))).toEqual([])
  })

  it('takes the page alone when nothing is older', () => {
    const after = refreshed(shown([7, 6, 5], 5), page([8, 7], null), 9)
    expect(ids(after)).toEqual([8, 7])
    expect(after.cursor).toBeNull()
  })

  it('never shows a list with a gap: jobs between two pages would be missing', () => {
    const after = refreshed(shown([4, 3, 2], 2), page([9, 8, 7], 7), 9)
    expect(ids(after)).toEqual([9, 8, 7])
    expect(after.cursor).toBe('00000007')
  })

  it('goes on where it stopped when the page ends with the list', () => {
    expect(refreshed(shown([4, 3], 3), page([4, 3], 3), 9).cursor).toBe('00000003')
    expect(refreshed(shown([], null), page([4, 3], 3), 9).cursor).toBe('00000003')
  })

  it('lets a list that is left open not grow: its oldest jobs go, and come again with the next page', () => {
    const after = refreshed(shown([6, 5, 4, 3], 3), page([8, 7, 6, 5], 5), 4)
    expect(ids(after)).toEqual([8, 7, 6, 5])
    expect(after.cursor).toBe('00000005')
  })
})
