// What the application says in each language, so that journeys find things by their names whatever the language is.
import { createI18n } from 'vue-i18n'
import enAdmin from '../src/features/admin/texts.en'
import zhAdmin from '../src/features/admin/texts.zh-TW'
import enAccount from '../src/features/auth/texts.en'
import zhAccount from '../src/features/auth/texts.zh-TW'
import enChannels from '../src/features/channels/texts.en'
import zhChannels from '../src/features/channels/texts.zh-TW'
import enComments from '../src/features/comments/texts.en'
import zhComments from '../src/features/comments/texts.zh-TW'
import enDiscovery from '../src/features/discovery/texts.en'
import zhDiscovery from '../src/features/discovery/texts.zh-TW'
import enModeration from '../src/features/moderation/texts.en'
import zhModeration from '../src/features/moderation/texts.zh-TW'
import enNotifications from '../src/features/notifications/texts.en'
import zhNotifications from '../src/features/notifications/texts.zh-TW'
import enKeep from '../src/features/playlists/texts.en'
import zhKeep from '../src/features/playlists/texts.zh-TW'
import enStudio from '../src/features/studio/texts.en'
import zhStudio from '../src/features/studio/texts.zh-TW'
import en from '../src/i18n/en'
import zh from '../src/i18n/zh-TW'

export type Language = 'en' | 'zh-TW'
/** A text by its key, with what is put into it, and how many of it there are. */
export type Say = (key: string, named?: Record<string, unknown>, count?: number) => string

const files = {
  en: [en, enAdmin, enAccount, enChannels, enComments, enDiscovery, enModeration, enNotifications, enKeep, enStudio],
  'zh-TW': [zh, zhAdmin, zhAccount, zhChannels, zhComments, zhDiscovery, zhModeration, zhNotifications, zhKeep, zhStudio],
}
const i18n = createI18n({
  legacy: false,
  locale: 'en',
  missingWarn: false,
  fallbackWarn: false,
  // As the application has it.
  pluralRules: { 'zh-TW': (choice: number, forms: number) => Math.min(choice, forms - 1) },
})
for (const [language, texts] of Object.entries(files)) for (const text of texts) i18n.global.mergeLocaleMessage(language, text)

/** The texts of a language. A key that it does not have is a mistake of the journey. */
export function say(language: Language): Say {
  return (key, named = {}, count = 1) => {
    if (!i18n.global.te(key, language)) throw new Error(`there is no text ${key} in ${language}`)
    return i18n.global.t(key, named, { locale: language, plural: count })
  }
}

/** The names of the groups of texts: what begins with one of them and a dot is a key that nobody translated. */
export const groups = [...new Set(files.en.flatMap((text) => Object.keys(text)))]
