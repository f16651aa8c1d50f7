import { effectScope } from 'vue'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import type { JobDetail } from '@/api/types'
import * as api from '../api'
import { useBulkRuns } from './useBulkRuns'

vi.mock('../api')
beforeEach(() => {
  vi.resetAllMocks()
  vi.useFakeTimers()
})
afterEach(() => void vi.useRealTimers())

const job = (state: string): JobDetail => ({ state, progress: null, result: null, reason: null }) as unknown as JobDetail

function followed(ended = () => undefined) {
  const scope = effectScope()
  const made = scope.run(() => useBulkRuns(ended))
  if (!made) throw new Error('no scope')
  return { ...made, scope }
}

it('follows what was begun until it has ended, says so once, and keeps it until it is dismissed', async () => {
  const ended = vi.fn()
  const { runs, add, dismiss, scope } = followed(ended)
  vi.mocked(api.getJob).mockResolvedValueOnce(job('available')).mockRejectedValueOnce(new Problem(503, 'unavailable', 'busy')).mockResolvedValueOnce(job('running')).mockResolvedValueOnce(job('completed'))
  add('retry', { job_id: 'a', count: 12 })
  await vi.advanceTimersByTimeAsync(0)
  expect([runs.value[0]?.job?.state, ended.mock.calls.length]).toEqual(['available', 0])
  await vi.advanceTimersByTimeAsync(1000)
  // A look that fails takes nothing away.
  expect([runs.value[0]?.job?.state, runs.value[0]?.problem?.code]).toEqual(['available', 'unavailable'])
  await vi.advanceTimersByTimeAsync(1000)
  expect([runs.value[0]?.job?.state, runs.value[0]?.problem]).toEqual(['running', null])
  await vi.advanceTimersByTimeAsync(10_000)
  expect([runs.value[0]?.job?.state, ended.mock.calls.length, vi.mocked(api.getJob).mock.calls.length]).toEqual(['completed', 1, 4])
  dismiss('a')
  expect(runs.value).toEqual([])
  scope.stop()
})

it('goes on with what was begun on another page, and asks no more once left', async () => {
  vi.mocked(api.getJob).mockResolvedValue(job('running'))
  const first = followed()
  first.add('cancel', { job_id: 'b', count: 1 })
  await vi.advanceTimersByTimeAsync(0)
  first.scope.stop()
  await vi.advanceTimersByTimeAsync(5000)
  expect(vi.mocked(api.getJob)).toHaveBeenCalledTimes(1)
  const second = followed()
  expect(second.runs.value.map(({ id }) => id)).toEqual(['b'])
  await vi.advanceTimersByTimeAsync(1000)
  expect(vi.mocked(api.getJob)).toHaveBeenCalledTimes(2)
  second.dismiss('b')
  second.scope.stop()
})

it('does not look for a job that is kept no longer', async () => {
  vi.mocked(api.getJob).mockRejectedValue(new Problem(404, 'not_found', 'gone'))
  const { add, dismiss, runs, scope } = followed()
  add('discard', { job_id: 'c', count: 1 })
  await vi.advanceTimersByTimeAsync(5000)
  expect([vi.mocked(api.getJob).mock.calls.length, runs.value[0]?.problem?.status]).toEqual([1, 404])
  dismiss('c')
  scope.stop()
})
