// Languages: one file each, loaded when chosen. The keys of the English files type every `t(...)`.
import { createI18n } from 'vue-i18n'
import type admin from '@/features/admin/texts.en'
import type account from '@/features/auth/texts.en'
import type channels from '@/features/channels/texts.en'
import type comments from '@/features/comments/texts.en'
import type discovery from '@/features/discovery/texts.en'
import type studio from '@/features/studio/texts.en'
import type moderation from '@/features/moderation/texts.en'
import type notifications from '@/features/notifications/texts.en'
import type payments from '@/features/payments/texts.en'
import type keep from '@/features/playlists/texts.en'
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
type Messages = typeof en & typeof admin & typeof account & typeof channels & typeof comments & typeof discovery & typeof keep & typeof moderation & typeof notifications & typeof payments & typeof studio
/** A file may add to a group of another, such as `errors`. */
type Load = () => Promise<{ default: { [Group in keyof Messages]?: Partial<Messages[Group]> } }>

export const i18n = createI18n({
  legacy: false,
  locale: 'en' as Language,
  messages: {} as Record<Language, Messages>,
  // One form for zero, one and many; Chinese repeats the last.
  pluralRules: { 'zh-TW': (choice: number, forms: number) => Math.min(choice, forms - 1) },
  missingWarn: import.meta.env.DEV,
  fallbackWarn: false,
})

const files: Record<Language, Load[]> = {
  en: [() => import('./en')],
  'zh-TW': [() => import('./zh-TW')],
}
const brought = new Map<Load, Promise<void>>()

function bring(code: Language, load: Load): Promise<void> {
  const before = brought.get(load)
  if (before) return before
  const bringing = load().then((file) => i18n.global.mergeLocaleMessage(code, file.default))
  brought.set(load, bringing)
  bringing.catch(() => brought.delete(load)) // The next one tries again.
  return bringing
}

/** Loads a language if needed and switches to it. */
export async function setLanguage(code: Language): Promise<void> {
  await Promise.all(files[code].map((load) => bring(code, load)))
  i18n.global.locale.value = code
  document.documentElement.lang = code
}

/** Texts of pages that few people see: they come with the first of these pages, and with each change of language after. */
export async function addTexts(texts: Record<Language, Load>): Promise<void> {
  const known = LANGUAGES.filter(({ code }) => files[code].some((load) => brought.has(load)))
  for (const { code } of LANGUAGES) if (!files[code].includes(texts[code])) files[code].push(texts[code])
  await Promise.all(known.map(({ code }) => bring(code, texts[code])))
}

/** The first language of the browser that we speak; English otherwise. */
export function browserLanguage(): Language {
  for (const wish of navigator.languages) {
    if (/^zh/i.test(wish)) return 'zh-TW'
    if (/^en/i.test(wish)) return 'en'
  }
  return 'en'
}
