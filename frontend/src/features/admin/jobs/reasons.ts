// Why a job is not running, as the parts of a sentence in any language. The server gives a stable word and what its own
// sentence is made of.
import type { Why } from '@/api/types'

export type Part =
  | { text: string }
  | { count: number; orMore?: boolean }
  /** A moment. */
  | { at: string }
  /** Milliseconds. */
  | { span: number }
  | { jobs: { id: string; kind: string | null }[]; more: number }

export interface Sentence {
  /** Of `admin.whyText`. */
  key: SentenceKey
  /** What decides between one and many. */
  plural: number
  parts: Record<string, Part>
  /** What somebody has written about it. */
  note: string | null
}

const KEYS = [
  'cancelling', 'cancelling_told', 'lease_expired', 'dependency', 'backoff', 'run_at', 'queue_paused', 'queue_paused_by', 'kind_paused',
  'kind_paused_by', 'no_worker', 'queue_limit', 'kind_limit', 'key_limit', 'rate', 'in_line', 'in_line_first',
] as const
export type SentenceKey = (typeof KEYS)[number]

/** Null for a reason that this page does not know, or that lacks what its sentence needs: then the server's own is shown. */
export function sentence({ code, params }: Why): Sentence | null {
  const given = typeof params === 'object' && params !== null ? (params as Record<string, unknown>) : {}
  const key = variant(code, given)
  if (key === null) return null
  const parts: Record<string, Part> = {}
  for (const [name, read] of Object.entries(NEEDED[key])) {
    const part = read(given[name], given)
    if (part === null) return null
    parts[name] = part
  }
  const counted = Object.values(parts).find((part) => 'count' in part)
  return { key, plural: counted?.count ?? 1, parts, note: text(given.note) ?? (code === 'cancelling' ? text(given.reason) : null) }
}

/** What is known decides which of several sentences is said. */
function variant(code: string, given: Record<string, unknown>): SentenceKey | null {
  const known = KEYS.find((key) => key === code)
  if (code === 'cancelling' && text(given.delivered_at) !== null) return 'cancelling_told'
  if (code === 'queue_paused' && text(given.by) !== null) return 'queue_paused_by'
  if (code === 'kind_paused' && text(given.by) !== null) return 'kind_paused_by'
  if (code === 'in_line' && given.ahead === 0) return 'in_line_first'
  return known ?? null
}

type Read = (value: unknown, given: Record<string, unknown>) => Part | null
const word: Read = (value) => (text(value) === null ? null : { text: String(value) })
const many: Read = (value, given) => (number(value) === null ? null : { count: Number(value), orMore: given.more === true })
const moment: Read = (value) => (Number.isNaN(Date.parse(text(value) ?? '')) ? null : { at: String(value) })
const lasting: Read = (value) => (number(value) === null ? null : { span: Number(value) })
const jobs: Read = (value, given) => {
  const entries = Array.isArray(value) ? (value as Record<string, unknown>[]) : []
  const known = entries.flatMap(({ id, kind }) => (text(id) === null ? [] : [{ id: String(id), kind: text(kind) }]))
  return known.length === 0 ? null : { jobs: known, more: Math.max(0, (number(given.pending) ?? 0) - known.length) }
}

/** What each sentence is made of, in the words of the server. The first count decides between one and many. */
const NEEDED: Record<SentenceKey, Record<string, Read>> = {
  cancelling: { requested_at: moment },
  cancelling_told: { requested_at: moment, delivered_at: moment },
  lease_expired: { until: moment },
  dependency: { pending: many, jobs },
  backoff: { attempt: word, max_attempts: word, at: moment },
  run_at: { at: moment },
  queue_paused: { queue: word, since: moment },
  queue_paused_by: { queue: word, since: moment, by: word },
  kind_paused: { kind: word, since: moment },
  kind_paused_by: { kind: word, since: moment, by: word },
  no_worker: { queue: word, kind: word },
  queue_limit: { running: many, queue: word },
  kind_limit: { running: many, kind: word },
  key_limit: { running: many, key: word },
  rate: { started: many, key: word, period_ms: lasting, at: moment },
  in_line: { ahead: many },
  in_line_first: {},
}

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : typeof value === 'number' ? String(value) : null)
const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
