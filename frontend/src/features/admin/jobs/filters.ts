// What a list of jobs is narrowed to, as the address has it and as people type it.
import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import { isState, type JobState, STATES } from './states'

export interface JobFilters {
  /** None: all of them. */
  states: JobState[]
  kind: string
  queue: string
  tag: string
  owner: string
  group: string
}
/** The filters that are one word. */
export const WORDS = ['kind', 'queue', 'tag', 'owner', 'group'] as const
export type Word = (typeof WORDS)[number]
export const NO_FILTERS: Readonly<JobFilters> = { states: [], kind: '', queue: '', tag: '', owner: '', group: '' }

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
export const isId = (text: string): boolean => ID.test(text)
/** Owners and groups are ids: another word would be refused. */
const fits = (name: Word, value: string): boolean => (name !== 'owner' && name !== 'group') || isId(value)

/** Reads the address. What makes no sense there is left out. */
export function fromQuery(query: LocationQuery): JobFilters {
  const text = (name: string): string => [query[name]].flat()[0]?.trim() ?? ''
  const words = text('state').split(',')
  const filters: JobFilters = { ...NO_FILTERS, states: STATES.filter((state) => words.includes(state)) }
  for (const name of WORDS) if (fits(name, text(name))) filters[name] = text(name)
  return filters
}

/** What goes into the address: only what narrows the list. */
export function toQuery(filters: JobFilters): LocationQueryRaw {
  const query: LocationQueryRaw = {}
  const states = filters.states.filter(isState)
  if (states.length > 0) query.state = states.join(',')
  for (const name of WORDS) if (filters[name]) query[name] = filters[name]
  return query
}

export type Search = { job: string } | { filters: Partial<Pick<JobFilters, Word>> } | { fault: Word | 'word'; text: string }

/** Understands what was typed: the id of a job, a kind, or `tag:nightly owner:…` in any number. */
export function readSearch(text: string): Search {
  const words = text.trim().split(/\s+/).filter(Boolean)
  if (words.length === 1 && isId(words[0] ?? '')) return { job: (words[0] ?? '').toLowerCase() }
  const filters: Partial<Pick<JobFilters, Word>> = {}
  for (const word of words) {
    const [, key, rest] = /^([a-z]+):(.+)$/.exec(word) ?? []
    const name = WORDS.find((known) => known === key)
    const value = name ? (rest ?? '') : word
    if (!name && filters.kind !== undefined) return { fault: 'word', text: word }
    if (name && !fits(name, value)) return { fault: name, text: value }
    filters[name ?? 'kind'] = value
  }
  return { filters }
}
