// Why a payment did not go through, for people. Providers have more codes than there are things to do about them.
import { useI18n } from 'vue-i18n'

export function useDecline() {
  const { t, te } = useI18n()
  return (code: string): string => {
    const key = `payments.declines.${code}`
    return te(key) ? t(key) : t('payments.declines.other')
  }
}
