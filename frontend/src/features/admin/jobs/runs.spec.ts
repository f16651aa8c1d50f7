import { expect, it } from 'vitest'
import { runs } from './runs'

const START = '2026-11-23T05:00:00Z'
const END = '2026-11-23T05:00:02.500Z'
const job = { state: 'running', run_no: 2, attempt: 2, errors: [{ run_no: 1, attempt: 1, at: START, code: 'io', error: 'no route', worker: 'w', duration_ms: 12 }] as never, started_at: START, finished_at: null, worker_id: 'w' }

it('shows the run that goes on above those that failed', () => {
  expect(runs(job)).toEqual([
    { run: 2, attempt: 2, outcome: 'running', at: START, worker: 'w', took: null, code: null, error: null },
    { run: 1, attempt: 1, outcome: 'failed', at: START, worker: 'w', took: 12, code: 'io', error: 'no route' },
  ])
})

it('shows how the last run ended, and how long it took', () => {
  expect(runs({ ...job, state: 'completed', finished_at: END })[0]).toMatchObject({ outcome: 'completed', at: END, took: 2500 })
  expect(runs({ ...job, state: 'cancelled', finished_at: END })[0]).toMatchObject({ outcome: 'stopped', took: 2500 })
})

it('says that a run was given back, which costs no attempt', () => {
  expect(runs({ ...job, state: 'available', attempt: 1 })[0]).toMatchObject({ run: 2, attempt: null, outcome: 'returned', at: START })
})

it('shows a run that failed once, and nothing of a job that never ran', () => {
  expect(runs({ ...job, state: 'discarded', run_no: 1, finished_at: END }).map(({ outcome }) => outcome)).toEqual(['failed'])
  expect(runs({ ...job, state: 'available', run_no: 0, errors: [] as never, started_at: null })).toEqual([])
})
