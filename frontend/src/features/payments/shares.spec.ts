import { describe, expect, it } from 'vitest'
import { earningDays, spanOf } from './earningDays'
import { isPrice, refundOf, sellerShare } from './shares'

describe('forms about money', () => {
  it('say what the creator gets, to the last unit', () => {
    expect(sellerShare(9950, 1000)).toBe(8955)
    expect(sellerShare(9, 1000)).toBe(9)
    expect(sellerShare(99_999_999, 10_000)).toBe(0)
    expect(sellerShare(1999, 0)).toBe(1999)
  })

  it.each([[null, false], [0, false], [-1, false], [1, true], [99_999_999, true], [100_000_000, false]] as const)('take %s as a price: %s', (amount, fits) => {
    expect(isPrice(amount)).toBe(fits)
  })

  it('never ask for more back than is left', () => {
    expect(refundOf(true, null, 500)).toBe(500)
    expect(refundOf(true, null, 0)).toBeNull()
    expect(refundOf(false, 500, 500)).toBe(500)
    expect(refundOf(false, 501, 500)).toBeNull()
    expect(refundOf(false, 0, 500)).toBeNull()
    expect(refundOf(false, null, 500)).toBeNull()
  })
})

it('days without sales are days', () => {
  const today = new Date('2026-03-02T10:00:00Z')
  expect(spanOf(3, today)).toEqual({ from: '2026-02-28', to: '2026-03-02' })
  expect(earningDays([{ day: '2026-03-01', earned: 5, refunded: 1 }], 3, today).map(({ earned }) => earned)).toEqual([0, 5, 0])
})
