// Theme and language: kept in local storage, since they are no secret and must be there before the first paint.
import { defineStore } from 'pinia'
import { computed, ref, watchEffect } from 'vue'
import { browserLanguage, type Language, LANGUAGES, setLanguage } from '@/i18n'

export type Theme = 'light' | 'dark' | 'system'

export const usePreferences = defineStore('preferences', () => {
  const theme = ref<Theme>(read('millrace.theme', ['light', 'dark', 'system']) ?? 'system')
  const codes = LANGUAGES.map(({ code }) => code)
  const language = ref<Language>(read('millrace.language', codes) ?? browserLanguage())

  const system = matchMedia('(prefers-color-scheme: dark)')
  const systemDark = ref(system.matches)
  system.addEventListener('change', (event) => {
    systemDark.value = event.matches
  })
  const dark = computed(() => theme.value === 'dark' || (theme.value === 'system' && systemDark.value))
  watchEffect(() => document.documentElement.classList.toggle('dark', dark.value))

  // What one tab chooses, the others show.
  window.addEventListener('storage', ({ key, newValue }) => {
    if (key === 'millrace.theme') theme.value = (newValue as Theme | null) ?? 'system'
    if (key === 'millrace.language' && codes.includes(newValue as Language)) void chooseLanguage(newValue as Language)
  })

  function chooseTheme(next: Theme): void {
    theme.value = next
    write('millrace.theme', next)
  }

  async function chooseLanguage(next: Language): Promise<void> {
    await setLanguage(next)
    language.value = next
    write('millrace.language', next)
  }

  return { theme, dark, language, chooseTheme, chooseLanguage }
})

function read<T extends string>(key: string, allowed: readonly T[]): T | null {
  try {
    const value = localStorage.getItem(key)
    return allowed.find((entry) => entry === value) ?? null
  } catch {
    return null
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value)
  } catch {
    // Storage is blocked: the choice lasts as long as the tab.
  }
}
