// Amounts as people read and type them. An amount is a whole number of minor units; the decimal point is put in and
// taken out as text, for 0.1 + 0.2 is not 0.3 where numbers are floats.
import type { Money } from './types'

/** The highest amount that the server takes, in the minor unit. */
export const MOST = 99_999_999

/** `9950` with two digits is `99.50`, and `9900` is `99`: what the field of a form holds. */
export function decimalOf(amount: number, exponent: number): string {
  if (!Number.isSafeInteger(amount)) throw new RangeError('an amount is a whole number of minor units')
  const [sign, digits] = amount < 0 ? ['-', String(-amount)] : ['', String(amount)]
  const padded = digits.padStart(exponent + 1, '0')
  const whole = padded.slice(0, padded.length - exponent)
  const rest = padded.slice(padded.length - exponent)
  return /^0*$/.test(rest) ? sign + whole : `${sign}${whole}.${rest}`
}

/** A decimal as text is formatted digit by digit; our library of types is older than that. */
interface DecimalFormat {
  format(decimal: string): string
}

/** As the language writes it: a whole amount without its zeros, every other with all digits. */
export function formatMoney({ amount, currency, exponent }: Money, locale: string): string {
  const decimal = decimalOf(amount, exponent)
  const digits = decimal.includes('.') ? exponent : 0
  const format = new Intl.NumberFormat(locale, { style: 'currency', currency, minimumFractionDigits: digits, maximumFractionDigits: digits })
  return (format as unknown as DecimalFormat).format(decimal)
}

/** What somebody typed, in the minor unit; null when it is no amount, or finer than the currency. */
export function parseAmount(text: string, exponent: number): number | null {
  // NFKC: what a Chinese keyboard types as wide digits are digits.
  const typed = text.normalize('NFKC').trim()
  const match = /^(\d+|\d{1,3}(?:,\d{3})+)(?:\.(\d*))?$/.exec(typed)
  if (!match) return null
  const [whole = '', rest = ''] = [match[1]?.replaceAll(',', ''), match[2]]
  if (/[^0]/.test(rest.slice(exponent))) return null
  const minor = Number(whole + rest.slice(0, exponent).padEnd(exponent, '0'))
  return Number.isSafeInteger(minor) ? minor : null
}
