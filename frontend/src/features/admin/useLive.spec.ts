import { effectScope, nextTick, ref } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { live, useLive } from './useLive'

function watched(look = vi.fn(async () => undefined)) {
  const held = ref(false)
  const scope = effectScope()
  scope.run(() => useLive(look, () => held.value))
  return { look, held, scope }
}

async function hide(hidden: boolean): Promise<void> {
  vi.spyOn(document, 'hidden', 'get').mockReturnValue(hidden)
  document.dispatchEvent(new Event('visibilitychange'))
  await nextTick()
}

describe('useLive', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    live.value = true
  })
  afterEach(() => vi.useRealTimers())

  it('looks every two seconds until the page is left', async () => {
    const { look, scope } = watched()
    await vi.advanceTimersByTimeAsync(6100)
    expect(look).toHaveBeenCalledTimes(3)
    scope.stop()
    await vi.advanceTimersByTimeAsync(6000)
    expect(look).toHaveBeenCalledTimes(3)
  })

  it('rests while it is held, hidden or switched off, and looks at once afterwards', async () => {
    const { look, held, scope } = watched()
    const rest = async (begin: () => unknown, end: () => unknown): Promise<void> => {
      look.mockClear()
      await begin()
      await vi.advanceTimersByTimeAsync(10_000)
      expect(look).not.toHaveBeenCalled()
      await end()
      await vi.advanceTimersByTimeAsync(0)
      expect(look).toHaveBeenCalledTimes(1)
      await vi.advanceTimersByTimeAsync(2000)
      expect(look).toHaveBeenCalledTimes(2)
    }
    await rest(() => (held.value = true), () => (held.value = false))
    await rest(() => hide(true), () => hide(false))
    await rest(() => (live.value = false), () => (live.value = true))
    scope.stop()
  })

  it('waits for a slow answer instead of asking twice, and goes on after one that failed', async () => {
    let answer: (cause: Error) => void = () => undefined
    const { look, scope } = watched(vi.fn(() => new Promise<undefined>((_, reject) => (answer = reject))))
    await vi.advanceTimersByTimeAsync(9000)
    expect(look).toHaveBeenCalledTimes(1)
    answer(new Error('no network'))
    await vi.advanceTimersByTimeAsync(2000)
    expect(look).toHaveBeenCalledTimes(2)
    scope.stop()
  })
})
