import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { effectScope, type EffectScope } from 'vue'
import type { Suggestion } from '@/api/types'
import { suggest } from './api'
import { useSuggestions } from './useSuggestions'

vi.mock('./api', () => ({ suggest: vi.fn() }))
const asked = vi.mocked(suggest)
const words = (text: string): Suggestion[] => [{ kind: 'words', text, video_id: null }]

describe('suggestions', () => {
  let scope: EffectScope
  beforeEach(() => {
    vi.useFakeTimers()
    asked.mockReset()
    scope = effectScope()
  })
  afterEach(() => {
    scope.stop()
    vi.useRealTimers()
  })
  const use = () => scope.run(() => useSuggestions())!

  it('are asked for once somebody pauses, and once for the same letters', async () => {
    asked.mockResolvedValue(words('kayak'))
    const { suggestions, ask, drop } = use()
    for (const text of ['k', 'ka', 'kay ']) ask(text)
    await vi.runAllTimersAsync()
    expect(asked).toHaveBeenCalledOnce()
    expect(asked.mock.calls[0]![0]).toBe('kay')
    expect(suggestions.value).toEqual(words('kayak'))
    drop()
    expect(suggestions.value).toEqual([])
    ask('kay')
    expect(suggestions.value).toEqual(words('kayak'))
    expect(asked).toHaveBeenCalledOnce()
  })

  it('of older letters do not come after those of newer ones', async () => {
    let late: (found: Suggestion[]) => void = () => undefined
    asked.mockImplementationOnce(() => new Promise((resolve) => (late = resolve)))
    asked.mockResolvedValueOnce(words('heron'))
    const { suggestions, ask } = use()
    ask('k')
    await vi.runAllTimersAsync()
    ask('h')
    await vi.runAllTimersAsync()
    expect(asked.mock.calls[0]![1]!.aborted).toBe(true)
    late(words('kayak'))
    await vi.runAllTimersAsync()
    expect(suggestions.value).toEqual(words('heron'))
  })

  it('stay away when the server does', async () => {
    asked.mockRejectedValue(new Error('away'))
    const { suggestions, ask } = use()
    ask('k')
    await vi.runAllTimersAsync()
    expect(suggestions.value).toEqual([])
    ask('')
    expect(suggestions.value).toEqual([])
  })
})
