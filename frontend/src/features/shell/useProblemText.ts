// The sentence a person reads for a problem: by its code; what the server wrote is for developers.
import { useI18n } from 'vue-i18n'
import type { Problem } from '@/api/problem'

export function useProblemText() {
  const { t, te } = useI18n()
  return (problem: Problem): string => {
    if (problem.code === 'throttled') return t('errors.throttled', problem.retryAfter ?? 0)
    const key = `errors.${problem.code}`
    return te(key) ? t(key) : t(problem.status >= 500 ? 'errors.unavailable' : 'errors.internal')
  }
}
