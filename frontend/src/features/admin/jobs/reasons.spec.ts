import { expect, it } from 'vitest'
import { pieces } from './reasons'

const ID = '0192f0c1-7a2b-7c3d-8e4f-0123456789ab'

it('finds the moments, however the database writes them', () => {
  expect(pieces({ code: 'run_at', detail: 'It is not due before 2026-11-23 05:15:24.123456+00.' })).toEqual([
    { text: 'It is not due before ' },
    { at: '2026-11-23T05:15:24.123+00:00' },
    { text: '.' },
  ])
  const at = (moment: string) => pieces({ code: 'rate', detail: moment })
  expect(at('2026-11-23 05:15:24+05:30')).toEqual([{ at: '2026-11-23T05:15:24+05:30' }])
  expect(at('2026-11-23T05:15:24Z')).toEqual([{ at: '2026-11-23T05:15:24Z' }])
  expect(at('2026-11-23 05:15:24.5-03')).toEqual([{ at: '2026-11-23T05:15:24.5-03:00' }])
})

it('finds the jobs that a job waits for, and takes no other id for one', () => {
  expect(pieces({ code: 'dependency', detail: `It waits for 1 jobs: probe ${ID} (running).` })).toEqual([{ text: 'It waits for 1 jobs: probe ' }, { job: ID }, { text: ' (running).' }])
  expect(pieces({ code: 'key_limit', detail: `2 jobs with the key user:${ID} run` })).toEqual([{ text: `2 jobs with the key user:${ID} run` }])
})
