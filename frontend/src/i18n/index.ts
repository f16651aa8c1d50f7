// Languages: one file each, loaded when chosen. The keys of the English file type every `t(...)`.
import { createI18n } from 'vue-i18n'
import type en from './en'

export type Language = 'en' | 'zh-TW'
export const LANGUAGES: readonly { code: Language; name: string }[] = [
  { code: 'zh-TW', name: '繁體中文' },
  { code: 'en', name: 'English' },
]

declare module 'vue-i18n' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the library wants an interface to extend
  export interface DefineLocaleMessage extends Messages {}
}
type Messages = typeof en

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as Language,
  messages: {} as Record<Language, Messages>,
  // One form for zero, one and many; Chinese repeats the last.
  pluralRules: { 'zh-TW': (choice: number, forms: number) => Math.min(choice, forms - 1) },
  missingWarn: import.meta.env.DEV,
  fallbackWarn: false,
})

const loaders: Record<Language, () => Promise<{ default: Messages }>> = {
  en: () => import('./en'),
  'zh-TW': () => import('./zh-TW'),
}

/** Loads a language if needed and switches to it. */
export async function setLanguage(code: Language): Promise<void> {
  if (!i18n.global.availableLocales.includes(code)) {
    i18n.global.setLocaleMessage(code, (await loaders[code]()).default)
  }
  i18n.global.locale.value = code
  document.documentElement.lang = code
}

/** The first language of the browser that we speak; English otherwise. */
export function browserLanguage(): Language {
  for (const wish of navigator.languages) {
    if (/^zh/i.test(wish)) return 'zh-TW'
    if (/^en/i.test(wish)) return 'en'
  }
  return 'en'
}
