// One thing at a time, with a message about how it went.
import { ref } from 'vue'
import { Problem } from '@/api/problem'
import { notify } from '@/features/shell/notify'
import { useProblemText } from '@/features/shell/useProblemText'

export function useTry() {
  const problemText = useProblemText()
  const busy = ref(false)

  /** The result, or null when it was refused; `done` is said when it was not. */
  async function attempt<T>(work: () => Promise<T>, done?: string, say?: (problem: Problem) => string | null): Promise<T | null> {
    if (busy.value) return null
    busy.value = true
    try {
      const result = await work()
      if (done) void notify('success', done)
      return result
    } catch (error) {
      const problem = Problem.from(error)
      void notify('error', say?.(problem) ?? problemText(problem))
      return null
    } finally {
      busy.value = false
    }
  }
  return { busy, attempt }
}
