import { describe, expect, it } from 'vitest'
import { decimalOf, formatMoney, parseAmount } from './money'

const plain = (text: string) => text.replaceAll(/\s/g, ' ')

describe('an amount', () => {
  it.each([
    [0, 2, '0'],
    [5, 2, '0.05'],
    [9900, 2, '99'],
    [9950, 2, '99.50'],
    [-9950, 2, '-99.50'],
    [1234, 0, '1234'],
    [1234, 3, '1.234'],
    [9_007_199_254_740_991, 2, '90071992547409.91'],
  ])('of %d with %d digits is %s', (amount, exponent, text) => {
    expect(decimalOf(amount, exponent)).toBe(text)
  })

  it('is never a fraction of its unit', () => {
    expect(() => decimalOf(0.5, 2)).toThrow(RangeError)
    expect(() => decimalOf(2 ** 53, 2)).toThrow(RangeError)
  })

  it('loses its zeros when whole, and is written as the language does', () => {
    expect(plain(formatMoney({ amount: 9900, currency: 'TWD', exponent: 2 }, 'en'))).toBe('NT$99')
    expect(plain(formatMoney({ amount: 9900, currency: 'TWD', exponent: 2 }, 'zh-TW'))).toBe('$99')
    expect(plain(formatMoney({ amount: 123_450, currency: 'USD', exponent: 2 }, 'en'))).toBe('$1,234.50')
    expect(plain(formatMoney({ amount: 500, currency: 'JPY', exponent: 0 }, 'en'))).toBe('¥500')
    expect(plain(formatMoney({ amount: -1, currency: 'USD', exponent: 2 }, 'en'))).toBe('-$0.01')
  })

  it('keeps every digit of what a float could not hold', () => {
    expect(formatMoney({ amount: 9_007_199_254_740_991, currency: 'USD', exponent: 2 }, 'en')).toBe('$90,071,992,547,409.91')
  })
})

describe('what somebody typed', () => {
  it.each([
    ['99', 2, 9900],
    ['99.5', 2, 9950],
    ['0.29', 2, 29],
    ['1.15', 2, 115],
    ['99.', 2, 9900],
    [' 1,234.50 ', 2, 123_450],
    ['１００', 2, 10_000],
    ['1.000', 2, 100],
    ['500', 0, 500],
    ['500.00', 0, 500],
    ['1.234', 3, 1234],
  ])('%s with %d digits is %d', (text, exponent, amount) => {
    expect(parseAmount(text, exponent)).toBe(amount)
  })

  it.each(['', ' ', '-5', '1e3', '0x10', '1,23', '12,34.5', '1.005', '.5', 'NaN', 'Infinity', '1 000', '99999999999999999999'])('%s is no amount', (text) => {
    expect(parseAmount(text, 2)).toBeNull()
  })

  it('comes back as it was written', () => {
    for (const amount of [0, 1, 9, 10, 99, 100, 101, 110, 99_999_999]) expect(parseAmount(decimalOf(amount, 2), 2)).toBe(amount)
  })
})
