// Joins what is on show with what was fetched anew. The list goes from the newest job to the oldest; a page ends at the
// id of its last job, which is where the next one begins.
import type { JobLine, JobPage } from '@/api/types'

export interface Shown {
  items: JobLine[]
  cursor: string | null
}

/** The page after what is shown. A job that is there already stays where it is. */
export function append(shown: Shown, page: JobPage): Shown {
  const known = new Set(shown.items.map(({ id }) => id))
  return { items: [...shown.items, ...page.items.filter(({ id }) => !known.has(id))], cursor: page.next_cursor }
}

/**
 * The newest page in place of what was shown of its range: new jobs come in, changed ones change, and those that match no
 * longer go. Older ones stay as they were. At most `most` are kept, or a list that is left open would grow for ever.
 */
export function refreshed(shown: Shown, page: JobPage, most: number): Shown {
  const items = unchanged(shown.items, page.items)
  const last = items.at(-1)
  // Nothing is older than a page without a next one.
  if (!last || page.next_cursor === null) return cut({ items, cursor: null }, most)
  const first = shown.items[0]
  // More new jobs than a page holds: between it and what was shown, some would be missing.
  if (!first || last.id > first.id) return cut({ items, cursor: page.next_cursor }, most)
  const older = shown.items.filter(({ id }) => id < last.id)
  return cut({ items: [...items, ...older], cursor: older.length > 0 ? shown.cursor : page.next_cursor }, most)
}

/** Jobs that say what they said before stay the objects they were, so that their lines are not drawn anew. */
function unchanged(before: JobLine[], now: JobLine[]): JobLine[] {
  const known = new Map(before.map((job) => [job.id, job]))
  return now.map((job) => {
    const old = known.get(job.id)
    return old && JSON.stringify(old) === JSON.stringify(job) ? old : job
  })
}

function cut({ items, cursor }: Shown, most: number): Shown {
  if (items.length <= most) return { items, cursor }
  const kept = items.slice(0, most)
  return { items: kept, cursor: kept.at(-1)?.id ?? null }
}
