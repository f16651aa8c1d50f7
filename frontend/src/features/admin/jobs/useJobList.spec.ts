import { effectScope, nextTick, ref } from 'vue'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import type { JobLine, JobPage } from '@/api/types'
import * as api from '../api'
import { type JobFilters, NO_FILTERS } from './filters'
import { useJobList } from './useJobList'

vi.mock('../api')

const page = (from: number, to: number, more = true): JobPage => {
  const items = Array.from({ length: from - to + 1 }, (_, n) => ({ id: String(from - n).padStart(8, '0') }) as JobLine)
  return { items, next_cursor: more ? (items.at(-1)?.id ?? null) : null }
}

async function listed(filters = ref<JobFilters>({ ...NO_FILTERS })) {
  const list = effectScope().run(() => useJobList(() => filters.value))
  if (!list) throw new Error('no scope')
  await vi.waitFor(() => expect(list.loading.value).toBe(false))
  return { list, filters }
}

describe('the list of jobs', () => {
  beforeEach(() => void vi.resetAllMocks())

  it('asks for as many as are on show when it refreshes, and keeps to that number', async () => {
    vi.mocked(api.listJobs).mockResolvedValueOnce(page(300, 251)).mockResolvedValueOnce(page(250, 201)).mockResolvedValueOnce(page(310, 211))
    const { list } = await listed()
    await list.loadMore()
    await list.refresh()
    expect(vi.mocked(api.listJobs).mock.calls.map(([query]) => query)).toEqual([{ limit: 50, cursor: undefined }, { limit: 50, cursor: '00000251' }, { limit: 100, cursor: undefined }])
    expect(list.items.value).toHaveLength(100)
    expect(list.items.value[0]?.id).toBe('00000310')
    expect(list.hasMore.value).toBe(true)
  })

  it('does not hear an answer to filters of before', async () => {
    vi.mocked(api.listJobs).mockResolvedValueOnce(page(9, 8, false))
    const { list, filters } = await listed()
    let late: (answer: JobPage) => void = () => undefined
    vi.mocked(api.listJobs).mockReturnValueOnce(new Promise((resolve) => (late = resolve))).mockResolvedValueOnce(page(3, 2, false))
    filters.value = { ...NO_FILTERS, kind: 'slow' }
    await nextTick()
    filters.value = { ...NO_FILTERS, kind: 'quick' }
    await vi.waitFor(() => expect(list.items.value[0]?.id).toBe('00000003'))
    late(page(7, 6, false))
    await nextTick()
    expect(list.items.value[0]?.id).toBe('00000003')
    expect(list.loading.value).toBe(false)
  })

  it('keeps what it has when a refresh fails, and says so; not when the person may no longer see it', async () => {
    vi.mocked(api.listJobs).mockResolvedValueOnce(page(9, 8, false))
    const { list } = await listed()
    vi.mocked(api.listJobs).mockRejectedValueOnce(new Problem(503, 'unavailable', 'busy'))
    await list.refresh()
    expect([list.items.value.length, list.trouble.value?.code, list.error.value]).toEqual([2, 'unavailable', null])
    vi.mocked(api.listJobs).mockResolvedValueOnce(page(9, 8, false))
    await list.refresh()
    expect(list.trouble.value).toBeNull()
    vi.mocked(api.listJobs).mockRejectedValueOnce(new Problem(403, 'forbidden', 'no'))
    await list.refresh()
    expect(list.error.value?.code).toBe('forbidden')
  })
})
