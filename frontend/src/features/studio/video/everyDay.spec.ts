import { describe, expect, it } from 'vitest'
import { everyDay } from './everyDay'

describe('everyDay', () => {
  it('fills what is missing', () => {
    const known = [{ day: '2026-03-01', views: 3, watch_seconds: 9 }, { day: '2025-01-01', views: 9, watch_seconds: 9 }]
    const days = everyDay(known, 3, new Date('2026-03-02T23:00:00Z'))
    expect(days.map(({ day, views }) => [day, views])).toEqual([['2026-02-28', 0], ['2026-03-01', 3], ['2026-03-02', 0]])
  })
})
