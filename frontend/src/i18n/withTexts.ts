// A page together with the texts that only it and its neighbours show.
import { addTexts } from '@/i18n'

export function withTexts<T>(texts: Parameters<typeof addTexts>[0], page: () => Promise<T>) {
  return async (): Promise<T> => (await Promise.all([page(), addTexts(texts)]))[0]
}
