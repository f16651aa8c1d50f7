// The texts of notifications come with the first page or bell that shows them.
import { addTexts } from '@/i18n'

const texts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }

/** A component together with the texts that it shows. */
export function withTexts<T>(component: () => Promise<T>) {
  return async (): Promise<T> => (await Promise.all([component(), addTexts(texts)]))[0]
}
