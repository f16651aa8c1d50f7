// The sentences that say why a job is not running, taken apart: moments and jobs in them are shown as such.
import type { Why } from '@/api/types'

export type Piece = { text: string } | { at: string } | { job: string }

const MOMENT = String.raw`\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)`
const ID = String.raw`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`

export function pieces({ code, detail }: Why): Piece[] {
  // Elsewhere an id may be anything: a user in a key, for one.
  const pattern = new RegExp(code === 'dependency' ? `(${MOMENT})|(${ID})` : `(${MOMENT})`, 'g')
  const found: Piece[] = []
  let rest = 0
  for (const match of detail.matchAll(pattern)) {
    if (match.index > rest) found.push({ text: detail.slice(rest, match.index) })
    found.push(match[2] === undefined ? { at: iso(match[0]) } : { job: match[2] })
    rest = match.index + match[0].length
  }
  if (rest < detail.length) found.push({ text: detail.slice(rest) })
  return found
}

/** The database writes `2026-11-23 05:15:24.123456+00`, which not every browser reads. */
function iso(moment: string): string {
  const [, day, time, fraction = '', zone = 'Z'] = /^(\S{10})[ T](\d\d:\d\d:\d\d)(\.\d{1,3})?\d*(.*)$/.exec(moment) ?? []
  const [, hours, minutes = '00'] = /^([+-]\d\d):?(\d\d)?$/.exec(zone) ?? []
  return `${day}T${time}${fraction}${hours === undefined ? zone : `${hours}:${minutes}`}`
}
