// Parts of amounts, in whole minor units.
import { MOST } from './money'

/** What the seller gets: the house's part, in 10,000ths, is rounded down, as the server does. */
export function sellerShare(amount: number, shareBps: number): number {
  return amount - Number((BigInt(amount) * BigInt(shareBps)) / 10_000n)
}

/** Whether something can cost this. */
export function isPrice(amount: number | null): amount is number {
  return amount !== null && amount > 0 && amount <= MOST
}

/** What a refund form asks for, or null when that is no part of what is left. */
export function refundOf(full: boolean, amount: number | null, left: number): number | null {
  const wanted = full ? left : amount
  return wanted !== null && wanted > 0 && wanted <= left ? wanted : null
}
