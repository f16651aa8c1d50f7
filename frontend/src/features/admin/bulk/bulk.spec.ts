import { expect, it } from 'vitest'
import type { JobDetail } from '@/api/types'
import { NO_FILTERS } from '../jobs/filters'
import { bulkActs, bulkFilter, bulkProgress } from './bulk'

it('acts by what the list is narrowed to', () => {
  expect(bulkFilter({ ...NO_FILTERS, states: ['discarded', 'quarantined'], kind: 'probe', queue: 'media', tag: 'nightly' })).toEqual({ state: ['discarded', 'quarantined'], kind: 'probe', queue: 'media', tag: 'nightly' })
  expect(bulkFilter({ ...NO_FILTERS, tag: 'nightly' })).toEqual({ tag: 'nightly' })
  expect(bulkFilter({ ...NO_FILTERS, owner: 'o', group: 'g' })).toEqual({ owner: 'o', group: 'g' })
})

it('does not act on everything', () => {
  expect(bulkFilter(NO_FILTERS)).toBeNull()
})

it('offers what could be done to jobs in these states', () => {
  expect(bulkActs([])).toEqual(['retry', 'cancel', 'discard'])
  expect(bulkActs(['discarded', 'completed'])).toEqual(['retry'])
  expect(bulkActs(['running'])).toEqual(['cancel', 'discard'])
  expect(bulkActs(['completed'])).toEqual([])
})

it('reads how far it is from the job that does it', () => {
  const job = (changes: Partial<JobDetail>) => bulkProgress({ state: 'running', progress: null, result: null, reason: null, ...changes } as JobDetail)
  expect(bulkProgress(null).state).toBe('waiting')
  expect(job({ state: 'retryable', progress: { percent: 30, stage: '', updated_at: '' } })).toMatchObject({ state: 'waiting', percent: 30 })
  expect(job({ progress: { percent: 41.5, stage: '', updated_at: '' } })).toMatchObject({ state: 'running', percent: 41.5, changed: null })
  expect(job({ state: 'completed', result: { changed: 7, skipped: 2 } })).toEqual({ state: 'done', percent: 100, changed: 7, skipped: 2, reason: null })
  expect(job({ state: 'cancelled', reason: 'cancelled by ann' })).toMatchObject({ state: 'failed', reason: 'cancelled by ann' })
})
