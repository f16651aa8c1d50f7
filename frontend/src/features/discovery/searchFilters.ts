// What a search is narrowed to, kept in the address: a link or a reload shows the same results.
import type { LocationQuery, LocationQueryRaw } from 'vue-router'
import type { Category } from '@/api/types'
import { CATEGORIES } from '@/features/studio/labels'

export const SORTS = ['relevance', 'new', 'views'] as const
export const DURATIONS = ['short', 'medium', 'long'] as const
export const DATES = ['day', 'week', 'month', 'year'] as const
export const QUALITIES = ['hd', 'full_hd', 'uhd'] as const

export interface SearchFilters {
  q: string
  sort?: (typeof SORTS)[number]
  duration?: (typeof DURATIONS)[number]
  date?: (typeof DATES)[number]
  quality?: (typeof QUALITIES)[number]
  category?: Category
  tag?: string
  owner?: string
}

/** Longer questions are refused. */
export const LONGEST = 200

const text = (value: unknown): string | undefined => (typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined)
const one = <T extends string>(all: readonly T[], value: unknown): T | undefined => all.find((entry) => entry === value)

/** What the address says; what it says wrongly is left out. */
export function readFilters(query: LocationQuery): SearchFilters {
  return {
    q: [...(text(query.q) ?? '')].slice(0, LONGEST).join(''),
    sort: one(SORTS.slice(1), query.sort),
    duration: one(DURATIONS, query.duration),
    date: one(DATES, query.date),
    quality: one(QUALITIES, query.quality),
    category: one(CATEGORIES, query.category),
    tag: text(query.tag),
    owner: text(query.owner),
  }
}

/** The address that says it. */
export function writeFilters(filters: SearchFilters): LocationQueryRaw {
  return { ...filters, q: filters.q || undefined, sort: filters.sort === 'relevance' ? undefined : filters.sort }
}

/** All filters off; words and order stay. */
export const UNFILTERED: Partial<SearchFilters> = { duration: undefined, date: undefined, quality: undefined, category: undefined, tag: undefined, owner: undefined }

/**
 * Without words there is nothing to search, but a tag or a category has a list of its own, which can be in fewer orders
 * and is narrowed by nothing else.
 */
export function asList({ q, tag, category, sort }: SearchFilters): { tag?: string; category?: Category; sort: 'new' | 'views' } | null {
  if (q !== '' || (tag === undefined && category === undefined)) return null
  return { tag, category, sort: sort === 'views' ? 'views' : 'new' }
}

/** How many filters narrow the results. */
export function countFilters({ duration, date, quality, category, tag, owner }: SearchFilters): number {
  return [duration, date, quality, category, tag, owner].filter((value) => value !== undefined).length
}
