// Reasons in words: those of people, and the word list's.
import { useI18n } from 'vue-i18n'

export function useReasons() {
  const { t, te } = useI18n()
  return (reason: string): string => {
    if (reason === 'word_list') return t('moderation.word_list')
    const key = `reports.${reason}`
    return te(key) ? t(key) : reason
  }
}
