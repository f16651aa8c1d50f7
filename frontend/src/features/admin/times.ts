// Times of jobs as the chosen language writes them: from milliseconds to days.
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { timeZone } from '@/i18n/zone'

type Part = [value: number, unit: 'millisecond' | 'second' | 'minute' | 'hour' | 'day']
const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** At most two units, none of them beyond what matters: `1.24 s`, `3 min 5 s`, `2 days 4 h`. */
export function parts(ms: number): Part[] {
  const whole = Math.max(0, Math.round(ms))
  if (whole < SECOND) return [[whole, 'millisecond']]
  if (whole < 10 * SECOND) return [[Math.floor(whole / 10) / 100, 'second']]
  if (whole < MINUTE) return [[Math.floor(whole / 100) / 10, 'second']]
  const [large, small]: [[number, Part[1]], [number, Part[1]]] =
    whole < HOUR ? [[MINUTE, 'minute'], [SECOND, 'second']] : whole < DAY ? [[HOUR, 'hour'], [MINUTE, 'minute']] : [[DAY, 'day'], [HOUR, 'hour']]
  const rest = Math.floor((whole % large[0]) / small[0])
  const first: Part = [Math.floor(whole / large[0]), large[1]]
  return rest === 0 ? [first] : [first, [rest, small[1]]]
}

/** How far from now, in one unit and towards zero: -12 seconds, 3 days. */
export function distance(ms: number): [value: number, unit: Exclude<Part[1], 'millisecond'>] {
  const size = Math.abs(ms)
  if (size < MINUTE) return [Math.trunc(ms / SECOND), 'second']
  if (size < HOUR) return [Math.trunc(ms / MINUTE), 'minute']
  if (size < DAY) return [Math.trunc(ms / HOUR), 'hour']
  return [Math.trunc(ms / DAY), 'day']
}

const CLOCK = { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' } as const
const writers = new Map<string, ReturnType<typeof newWriter>>()

function newWriter(locale: string, zone?: string) {
  const unit = (name: Part[1]) => new Intl.NumberFormat(locale, { style: 'unit', unit: name, unitDisplay: 'narrow' })
  return {
    units: { millisecond: unit('millisecond'), second: unit('second'), minute: unit('minute'), hour: unit('hour'), day: unit('day') },
    relative: new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' }),
    exact: new Intl.DateTimeFormat(locale, { ...CLOCK, year: 'numeric', month: 'short', day: 'numeric', timeZoneName: 'short', timeZone: zone }),
    moment: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23', timeZone: zone }),
    clock: new Intl.DateTimeFormat(locale, { ...CLOCK, timeZone: zone }),
  }
}

/** One for all lines of a list: making them takes longer than using them. */
function writerOf(locale: string, zone?: string): ReturnType<typeof newWriter> {
  const key = `${locale} ${zone ?? ''}`
  const writer = writers.get(key) ?? newWriter(locale, zone)
  writers.set(key, writer)
  return writer
}

export function useTimes() {
  const { locale } = useI18n()
  const writer = computed(() => writerOf(locale.value, timeZone()))

  /** How long something took. */
  function span(ms: number): string {
    return parts(ms)
      .map(([value, unit]) => writer.value.units[unit].format(value))
      .join(' ')
  }

  /** How far a moment is from another, which is now. */
  function relative(iso: string, now: number): string {
    const [value, unit] = distance(Date.parse(iso) - now)
    return writer.value.relative.format(value === 0 ? 0 : value, unit) // Minus zero would be "0 seconds ago".
  }

  /** The moment to the millisecond, with its zone. */
  const exact = (iso: string): string => writer.value.exact.format(new Date(iso))

  /** The moment to the second. */
  const moment = (iso: string): string => writer.value.moment.format(new Date(iso))

  /** The time of day to the millisecond. */
  const timeOfDay = (iso: string): string => writer.value.clock.format(new Date(iso))

  return { span, relative, exact, moment, timeOfDay }
}
