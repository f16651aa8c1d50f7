// The sentence a person reads for a problem: by its code, else what the server wrote.
import { useI18n } from 'vue-i18n'
import type { Problem } from '@/api/problem'

export function useProblemText() {
  const { t, te } = useI18n()
  return (problem: Problem): string => {
    if (problem.code === 'throttled') return t('errors.throttled', problem.retryAfter ?? 0)
    const key = `errors.${problem.code}`
    return te(key) ? t(key) : problem.message || t('errors.internal')
  }
}
