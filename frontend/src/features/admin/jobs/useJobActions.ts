// What operators do to a job: a question before, a sentence after.
import { computed } from 'vue'
import { useI18n } from 'vue-i18n'
import { Problem } from '@/api/problem'
import type { JobLine } from '@/api/types'
import { atLeast } from '@/features/auth/roles'
import { useSession } from '@/features/auth/session'
import { ask } from '@/features/shell/ask'
import { notify } from '@/features/shell/notify'
import { useProblemText } from '@/features/shell/useProblemText'
import { actOnJob } from '../api'
import { type Act, hasEnded } from './states'

export type Target = Pick<JobLine, 'id' | 'kind' | 'state'>

export function useJobActions() {
  const { t } = useI18n()
  const session = useSession()
  const problemText = useProblemText()
  const mayAct = computed(() => atLeast(session.user, 'operator'))

  /** Retrying a job that only waits for its time is running it now. */
  const word = (act: Act, job: Pick<JobLine, 'state'>): 'retry' | 'runNow' | 'cancel' | 'discard' => (act === 'retry' && !hasEnded(job) ? 'runNow' : act)
  const label = (act: Act, job: Pick<JobLine, 'state'>): string => t(`admin.acts.${word(act, job)}.label`)

  /** True when something was tried, so that the job may be another one now. */
  async function act(what: Act, job: Target): Promise<boolean> {
    const texts = word(what, job)
    const { kind } = job
    const question = { title: t(`admin.acts.${texts}.title`), text: t(`admin.acts.${texts}.text`, { kind }), yes: t(`admin.acts.${texts}.label`), no: t('admin.acts.leave'), harm: what !== 'retry' }
    if (!(await ask(question))) return false
    try {
      const { outcome } = await actOnJob(job.id, what)
      const asked = texts === 'cancel' && outcome === 'requested'
      void notify(asked ? 'info' : 'success', asked ? t('admin.acts.cancel.requested', { kind }) : t(`admin.acts.${texts}.done`, { kind }))
    } catch (cause) {
      const problem = Problem.from(cause)
      void notify('error', problem.code === 'wrong_state' ? t(`admin.acts.${texts}.refused`) : problemText(problem))
    }
    return true
  }
  return { mayAct, label, act }
}
