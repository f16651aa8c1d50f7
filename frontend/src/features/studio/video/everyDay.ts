// Days without anything are days, too.
import type { Statistics } from '@/api/types'

export type DayFigures = Statistics['days'][number]

/** The last `span` days up to today (UTC), in order. */
export function everyDay(known: readonly DayFigures[], span: number, today = new Date()): DayFigures[] {
  const by = new Map(known.map((entry) => [entry.day, entry]))
  return Array.from({ length: span }, (_, index) => {
    const day = new Date(today.getTime() - (span - 1 - index) * 86_400_000).toISOString().slice(0, 10)
    return by.get(day) ?? { day, views: 0, watch_seconds: 0 }
  })
}
