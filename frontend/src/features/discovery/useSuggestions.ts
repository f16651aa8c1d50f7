// Suggestions for what is typed: asked for when somebody pauses, and those of older letters never come after.
import { onScopeDispose, shallowRef } from 'vue'
import type { Suggestion } from '@/api/types'
import { suggest } from './api'

const PAUSE_MS = 140
const KEPT = 50

export function useSuggestions() {
  const suggestions = shallowRef<Suggestion[]>([])
  const kept = new Map<string, Suggestion[]>()
  let abort: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Forgets what was asked for and shows nothing. */
  function drop(): void {
    clearTimeout(timer)
    abort?.abort()
    suggestions.value = []
  }

  /** Asks for suggestions. What is on show stays until they are there. */
  function ask(text: string): void {
    clearTimeout(timer)
    abort?.abort()
    const typed = text.trim().slice(0, 100)
    if (typed === '') return drop()
    const known = kept.get(typed)
    if (known) {
      suggestions.value = known
      return
    }
    timer = setTimeout(() => void fetch(typed), PAUSE_MS)
  }

  async function fetch(typed: string): Promise<void> {
    const request = (abort = new AbortController())
    try {
      const found = await suggest(typed, request.signal)
      if (kept.size >= KEPT) kept.clear()
      kept.set(typed, found)
      if (!request.signal.aborted) suggestions.value = found
    } catch {
      // Whoever types goes on without.
      if (!request.signal.aborted) suggestions.value = []
    }
  }

  onScopeDispose(drop)
  return { suggestions, ask, drop }
}
