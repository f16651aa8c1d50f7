import { expect, it } from 'vitest'
import { failures } from './failures'

it('reads the failed runs, the newest first', () => {
  const first = { run_no: 1, attempt: 1, at: '2026-01-01T00:00:00Z', code: null, error: 'no', worker: 'w', duration_ms: 12 }
  const crash = { run_no: 2, attempt: 2, at: '2026-01-01T00:01:00Z', code: 'crashed', error: 'gone', worker: 'w', lease_until: 'x' }
  expect(failures([first, crash])).toEqual([
    { run: 2, attempt: 2, at: '2026-01-01T00:01:00Z', code: 'crashed', error: 'gone', worker: 'w', took: null },
    { run: 1, attempt: 1, at: '2026-01-01T00:00:00Z', code: null, error: 'no', worker: 'w', took: 12 },
  ])
})

it('makes the best of what an older or newer version wrote', () => {
  expect(failures(null)).toEqual([])
  expect(failures({ error: 'no list' })).toEqual([])
  expect(failures([null, 'text', { error: 7 }])).toEqual([{ run: null, attempt: null, at: null, code: null, error: '', worker: null, took: null }])
})
