// Amounts in the chosen language.
import { useI18n } from 'vue-i18n'
import { formatMoney } from './money'
import type { Money } from './types'

export function useMoney() {
  const { locale } = useI18n()
  /** `amount` replaces that of the record: a part of it, in the same currency. */
  return (money: Money, amount: number = money.amount): string => formatMoney({ amount, currency: money.currency, exponent: money.exponent }, locale.value)
}
