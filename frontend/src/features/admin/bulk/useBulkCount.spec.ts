import { effectScope } from 'vue'
import { beforeEach, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import * as api from '../api'
import type { BulkCount } from './bulk'
import { useBulkCount } from './useBulkCount'

vi.mock('../api')
beforeEach(() => void vi.resetAllMocks())

function counter() {
  const made = effectScope().run(() => useBulkCount())
  if (!made) throw new Error('no scope')
  return made
}

it('says how many, or why that is not known', async () => {
  const { count, found, problem, counting } = counter()
  vi.mocked(api.countJobs).mockResolvedValueOnce({ count: 12, capped: false })
  const asked = count('retry', { kind: 'probe' })
  expect(counting.value).toBe(true)
  await asked
  expect([found.value, problem.value, counting.value]).toEqual([{ count: 12, capped: false }, null, false])
  expect(vi.mocked(api.countJobs).mock.calls[0]?.slice(0, 2)).toEqual(['retry', { kind: 'probe' }])
  vi.mocked(api.countJobs).mockRejectedValueOnce(new Problem(503, 'unavailable', 'busy'))
  await count('retry', { kind: 'probe' })
  expect([found.value, problem.value?.code, counting.value]).toEqual([null, 'unavailable', false])
})

it('does not hear the answer to an earlier question', async () => {
  const { count, found } = counter()
  let late: (answer: BulkCount) => void = () => undefined
  vi.mocked(api.countJobs).mockReturnValueOnce(new Promise((resolve) => (late = resolve))).mockResolvedValueOnce({ count: 2, capped: false })
  const first = count('cancel', { kind: 'slow' })
  await count('discard', { kind: 'slow' })
  late({ count: 99, capped: true })
  await first
  expect(found.value).toEqual({ count: 2, capped: false })
})
