import { expect, it } from 'vitest'
import { distance, parts } from './times'

it.each([
  [0, [[0, 'millisecond']]],
  [-5, [[0, 'millisecond']]],
  [999.4, [[999, 'millisecond']]],
  [1240, [[1.24, 'second']]],
  [9999, [[9.99, 'second']]],
  [59_999, [[59.9, 'second']]],
  [60_000, [[1, 'minute']]],
  [3_599_999, [[59, 'minute'], [59, 'second']]],
  [7_500_000, [[2, 'hour'], [5, 'minute']]],
  [2 * 86_400_000 + 4 * 3_600_000, [[2, 'day'], [4, 'hour']]],
])('says %d ms in at most two units', (ms, expected) => {
  expect(parts(ms)).toEqual(expected)
})

it.each([
  [-12_900, [-12, 'second']],
  [59_999, [59, 'second']],
  [90_000, [1, 'minute']],
  [-86_400_000, [-1, 'day']],
])('says how far %d ms are', (ms, expected) => {
  expect(distance(ms)).toEqual(expected)
})
