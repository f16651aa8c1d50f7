// The time zone in which times are shown: the person's own choice, or else that of the browser.
import { ref } from 'vue'

const chosen = ref<string>()

/** The zone's IANA name; undefined for that of the browser. Read it where a time is written, so that it follows. */
export const timeZone = (): string | undefined => chosen.value

/** Takes the person's choice. A name that this browser does not know counts as none. */
export function chooseTimeZone(name: string | null | undefined): void {
  chosen.value = name && isKnown(name) ? name : undefined
}

function isKnown(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format(0) !== ''
  } catch {
    return false
  }
}

/** What a clock on the wall there shows at that moment, as fields of a Date of the browser's own zone: for pickers. */
export function onTheWall(moment: Date): Date {
  const wall = new Date(wallTime(moment))
  return new Date(wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate(), wall.getUTCHours(), wall.getUTCMinutes(), wall.getUTCSeconds())
}

/** The moment at which a clock on the wall there shows this. Of an hour that comes twice, the first; of one that never comes, the next. */
export function fromTheWall(wall: Date): Date {
  const shown = Date.UTC(wall.getFullYear(), wall.getMonth(), wall.getDate(), wall.getHours(), wall.getMinutes(), wall.getSeconds())
  const offset = (at: number): number => wallTime(new Date(at)) - at
  const day = 86_400_000
  // The offsets on both sides of a change of the clocks are those a day before and after it.
  const [before, after] = [shown - offset(shown - day), shown - offset(shown + day)]
  return new Date([before, after].sort((a, b) => a - b).find((at) => wallTime(new Date(at)) === shown) ?? before)
}

/** The clock's fields as if they were UTC, in milliseconds. */
function wallTime(moment: Date): number {
  const fields = { year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric', hourCycle: 'h23' } as const
  const parts = new Intl.DateTimeFormat('en-US', { ...fields, timeZone: timeZone() }).formatToParts(moment)
  const of = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.find((part) => part.type === type)?.value)
  return Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'))
}
