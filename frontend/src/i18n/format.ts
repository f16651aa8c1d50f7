// Numbers, sizes, times and dates as the chosen language writes them.
import { useI18n } from 'vue-i18n'
import { timeZone } from './zone'

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const

/** `1:02:03` or `4:05`: positions and lengths on a player's clock. */
export function clock(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '–:––'
  const whole = Math.max(0, Math.floor(seconds + 0.05)) // A minute of frames may sum up to 59.97 s.
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

export function useFormat() {
  const { locale } = useI18n()

  /** 1,024 bytes are a kilobyte here, as in the file managers people compare with. */
  function bytes(count: number): string {
    const power = count < 1024 ? 0 : Math.min(Math.floor(Math.log2(count) / 10), UNITS.length - 1)
    const value = count / 1024 ** power
    const digits = power === 0 || value >= 100 ? 0 : 1
    return new Intl.NumberFormat(locale.value, {
      style: 'unit',
      unit: UNITS[power],
      unitDisplay: power === 0 ? 'long' : 'short',
      maximumFractionDigits: digits,
    }).format(value)
  }

  function number(value: number): string {
    return new Intl.NumberFormat(locale.value, { notation: value >= 10_000 ? 'compact' : 'standard' }).format(value)
  }

  /** A whole percent, rounded down: 100 % means finished. */
  function percent(value: number): string {
    return new Intl.NumberFormat(locale.value, { style: 'percent' }).format(Math.floor(value) / 100)
  }

  function bitrate(bitsPerSecond: number): string {
    const options = { maximumFractionDigits: 1 }
    return `${new Intl.NumberFormat(locale.value, options).format(bitsPerSecond / 1e6)} Mbit/s`
  }

  /** A rough remaining time: seconds, minutes or hours. */
  function remaining(seconds: number): string {
    const [size, unit] = seconds < 90 ? [1, 'second'] : seconds < 5400 ? [60, 'minute'] : [3600, 'hour']
    const options = { style: 'unit', unit: String(unit), unitDisplay: 'long', maximumFractionDigits: 0 } as const
    return new Intl.NumberFormat(locale.value, options).format(Math.max(1, Math.round(seconds / Number(size))))
  }

  function ago(iso: string): string {
    const seconds = (Date.parse(iso) - Date.now()) / 1000
    const steps = [
      [60, 1, 'second'],
      [3600, 60, 'minute'],
      [86_400, 3600, 'hour'],
      [30 * 86_400, 86_400, 'day'],
      [365 * 86_400, 30 * 86_400, 'month'],
      [Infinity, 365 * 86_400, 'year'],
    ] as const
    const [, size, unit] = steps.find(([limit]) => Math.abs(seconds) < limit) ?? steps[5]
    const value = unit === 'second' ? 0 : Math.round(seconds / size)
    return new Intl.RelativeTimeFormat(locale.value, { numeric: 'auto' }).format(Math.min(0, value), unit)
  }

  function date(iso: string): string {
    return new Intl.DateTimeFormat(locale.value, { dateStyle: 'medium', timeStyle: 'short', timeZone: timeZone() }).format(new Date(iso))
  }

  return { bytes, number, percent, bitrate, remaining, ago, date, clock }
}
