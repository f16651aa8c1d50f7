// The texts of the studio come with what shows them.
import { addTexts } from '@/i18n'

export const studioTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }

/** A page or a component together with the texts that it shows. */
export function withTexts<T>(load: () => Promise<T>) {
  return async (): Promise<T> => (await Promise.all([load(), addTexts(studioTexts)]))[0]
}
