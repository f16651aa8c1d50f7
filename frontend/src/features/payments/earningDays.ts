// Days on which nothing was earned are days, too.
import type { Earnings } from './types'

type Day = Earnings['days'][number]
const dayOf = (today: Date, back: number) => new Date(today.getTime() - back * 86_400_000).toISOString().slice(0, 10)

/** The last `span` days up to today (UTC), as the server asks for them. */
export function spanOf(span: number, today = new Date()): { from: string; to: string } {
  return { from: dayOf(today, span - 1), to: dayOf(today, 0) }
}

export function earningDays(known: readonly Day[], span: number, today = new Date()): Day[] {
  const by = new Map(known.map((entry) => [entry.day, entry]))
  return Array.from({ length: span }, (_, index) => {
    const day = dayOf(today, span - 1 - index)
    return by.get(day) ?? { day, earned: 0, refunded: 0 }
  })
}
