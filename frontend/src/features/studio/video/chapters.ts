// Lines of the list of chapters, and what is wrong with them.

export interface Line {
  time: string
  title: string
}
export type Fault = 'badTime' | 'notZero' | 'outOfOrder' | 'afterEnd' | 'noTitle'

/** `1:02:03`, `4:05` or `59`; null for what is no time. */
export function seconds(time: string): number | null {
  const parts = time.trim().split(':')
  if (parts.length > 3 || parts.some((part) => !/^\d{1,2}$/.test(part))) return null
  const [first, ...rest] = parts.map(Number)
  if (rest.some((part) => part > 59)) return null
  return rest.reduce((sum, part) => sum * 60 + part, first ?? 0)
}

/** What is wrong with each line, or null. */
export function check(lines: readonly Line[], duration: number | null): (Fault | null)[] {
  let before = -1
  return lines.map(({ time, title }, index) => {
    const start = seconds(time)
    if (start === null) return 'badTime'
    if (index === 0 && start !== 0) return 'notZero'
    if (start <= before) return 'outOfOrder'
    before = start
    if (duration !== null && start > 0 && start >= duration) return 'afterEnd'
    return title.trim() ? null : 'noTitle'
  })
}
