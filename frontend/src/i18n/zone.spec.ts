import { afterEach, expect, test } from 'vitest'
import { chooseTimeZone, fromTheWall, onTheWall, timeZone } from './zone'

afterEach(() => chooseTimeZone(null))

const fields = (date: Date) => [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes()]

test('a name that nobody knows is that of the browser', () => {
  chooseTimeZone('Asia/Taipei')
  expect(timeZone()).toBe('Asia/Taipei')
  for (const name of ['Asia/Nowhere', '', null, undefined]) {
    chooseTimeZone(name)
    expect(timeZone()).toBeUndefined()
  }
})

test('a picker shows the clock on the wall, wherever the browser is', () => {
  chooseTimeZone('Asia/Taipei')
  expect(fields(onTheWall(new Date('2026-03-01T20:30:00Z')))).toEqual([2026, 3, 2, 4, 30])
  chooseTimeZone('America/New_York')
  expect(fields(onTheWall(new Date('2026-03-01T20:30:00Z')))).toEqual([2026, 3, 1, 15, 30])
})

test('what was picked is that moment, also around a change of the clocks', () => {
  for (const zone of ['Asia/Taipei', 'America/New_York', 'Australia/Lord_Howe', 'UTC']) {
    chooseTimeZone(zone)
    for (const iso of ['2026-01-15T12:00:00.000Z', '2026-03-08T06:59:00.000Z', '2026-03-08T07:00:00.000Z', '2026-11-01T04:30:00.000Z', '2026-11-01T12:00:00.000Z', '2026-04-04T14:00:00.000Z']) {
      expect(fromTheWall(onTheWall(new Date(iso))).toISOString(), `${zone} ${iso}`).toBe(iso)
    }
  }
  chooseTimeZone('America/New_York')
  // Half past one comes twice, half past two never.
  expect(fromTheWall(new Date(2026, 10, 1, 1, 30)).toISOString()).toBe('2026-11-01T05:30:00.000Z')
  expect(fromTheWall(new Date(2026, 2, 8, 2, 30)).toISOString()).toBe('2026-03-08T07:30:00.000Z')
})
