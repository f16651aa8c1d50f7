import { describe, expect, it } from 'vitest'
import { moment, ranFor, timeline } from './timeline'

const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 12, 0, 0) + second * 1000).toISOString()
const now = Date.parse(at(100))
const job = (state: string, run: number, started: number | null, finished: number | null) => ({
  state, created_at: at(0), run_at: at(run), started_at: started === null ? null : at(started), finished_at: finished === null ? null : at(finished),
})
const brief = (steps: ReturnType<typeof timeline>) => steps.map(({ name, state, took }) => `${name} ${state} ${took === null ? '-' : String(took / 1000)}`)

describe('the timeline of a job', () => {
  it.each([
    ['completed', job('completed', 10, 12, 42), ['created done 10', 'due done 2', 'started done 30', 'ended done -']],
    ['running', job('running', 10, 12, null), ['created done 10', 'due done 2', 'started now 88', 'ended ahead -']],
    ['in line', job('available', 10, null, null), ['created done 10', 'due now 90', 'started ahead -', 'ended ahead -']],
    ['not due yet', job('scheduled', 160, null, null), ['created now 160', 'due ahead -', 'started ahead -', 'ended ahead -']],
    ['waiting for its next attempt', job('retryable', 160, 12, null), ['created now 160', 'due ahead -', 'started ahead -', 'ended ahead -']],
    ['cancelled before it was due', job('cancelled', 160, null, 50), ['created done 50', 'due never -', 'started never -', 'ended done -']],
    ['cancelled while it was in line', job('cancelled', 10, null, 50), ['created done 10', 'due done 40', 'started never -', 'ended done -']],
    ['cancelled between two attempts', job('cancelled', 160, 12, 50), ['created done 12', 'due done 0', 'started done 38', 'ended done -']],
    ['due before it was created', job('completed', -5, 1, 2), ['created done 0', 'due done 1', 'started done 1', 'ended done -']],
  ])('%s', (_, subject, expected) => {
    expect(brief(timeline(subject, now))).toEqual(expected)
  })

  it('never counts backwards when the clocks of browser and server differ', () => {
    expect(timeline(job('running', 0, 160, null), now).map(({ took }) => took)).toEqual([0, 160_000, 0, null])
  })
})

describe('a line of the list', () => {
  it.each([
    [job('scheduled', 160, null, null), 'due', 160, null],
    [job('retryable', 160, 12, null), 'due', 160, null],
    [job('waiting', 0, null, null), 'created', 0, null],
    [job('running', 10, 12, null), 'started', 12, 88],
    [job('completed', 10, 12, 42), 'ended', 42, 30],
    [job('cancelled', 10, null, 42), 'ended', 42, null],
  ])('shows the one moment that matters, and how long it ran (%#)', (subject, name, second, seconds) => {
    expect(moment(subject)).toEqual({ name, at: at(second) })
    expect(ranFor(subject, now)).toBe(seconds === null ? null : seconds * 1000)
  })
})
