// What the runs of a job failed with.
import type { JobDetail } from '@/api/types'

/** A run that failed. */
export interface Failure {
  run: number | null
  attempt: number | null
  at: string | null
  code: string | null
  error: string
  worker: string | null
  took: number | null
}

/** The failed runs, the newest first. What the engine wrote is read with care: rows outlive versions. */
export function failures(errors: JobDetail['errors']): Failure[] {
  const entries = Array.isArray(errors) ? (errors as unknown[]) : []
  return entries
    .filter((entry): entry is Record<string, unknown> => typeof entry === 'object' && entry !== null)
    .map((entry) => ({
      run: number(entry.run_no),
      attempt: number(entry.attempt),
      at: text(entry.at),
      code: text(entry.code),
      error: text(entry.error) ?? '',
      worker: text(entry.worker),
      took: number(entry.duration_ms),
    }))
    .reverse()
}

const number = (value: unknown): number | null => (typeof value === 'number' ? value : null)
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
