// The bulk actions that this person has begun, followed until they have ended, on whatever admin page that is.
import { computed, onScopeDispose, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { JobDetail } from '@/api/types'
import { getJob } from '../api'
import { type Act, hasEnded } from '../jobs/states'
import type { BulkStart } from './bulk'

const PERIOD_MS = 1000

export interface BulkRun {
  id: string
  act: Act
  count: number
  job: JobDetail | null
  /** Why it is not known how far it is. */
  problem: Problem | null
}

/** Kept while the tab is open, so that one may look at a job and come back. */
const runs = shallowRef<readonly BulkRun[]>([])
const goesOn = (run: BulkRun): boolean => run.problem?.status !== 404 && !(run.job && hasEnded(run.job))

/** `ended` is called when one has ended: the jobs of a list are others now. */
export function useBulkRuns(ended: () => void = () => undefined) {
  let timer: ReturnType<typeof setTimeout> | undefined
  let over = false

  function add(act: Act, { job_id: id, count }: BulkStart): void {
    runs.value = [{ id, act, count, job: null, problem: null }, ...runs.value.filter((run) => run.id !== id)]
    void look()
  }
  function dismiss(id: string): void {
    runs.value = runs.value.filter((run) => run.id !== id)
  }

  async function look(): Promise<void> {
    clearTimeout(timer)
    const answers = await Promise.all(runs.value.filter(goesOn).map(one))
    if (over) return
    const told = new Map(answers.map((run) => [run.id, run]))
    runs.value = runs.value.map((run) => told.get(run.id) ?? run)
    if (answers.some((run) => !goesOn(run))) ended()
    plan()
  }
  async function one(run: BulkRun): Promise<BulkRun> {
    try {
      return { ...run, job: await getJob(run.id), problem: null }
    } catch (cause) {
      return { ...run, problem: Problem.from(cause) }
    }
  }
  function plan(): void {
    clearTimeout(timer)
    if (!over && runs.value.some(goesOn)) timer = setTimeout(() => void look(), PERIOD_MS)
  }

  plan()
  onScopeDispose(() => {
    over = true
    clearTimeout(timer)
  })
  return { runs: computed(() => runs.value), add, dismiss }
}
