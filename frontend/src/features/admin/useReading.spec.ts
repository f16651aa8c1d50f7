import { effectScope, nextTick, ref } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useReading } from './useReading'

function list() {
  const area = ref<HTMLElement | null>(null)
  const scope = effectScope()
  const reading = scope.run(() => useReading(area))
  if (!reading) throw new Error('no scope')
  document.body.innerHTML = '<div><a href="/one">one</a></div><p>elsewhere</p>'
  return { area, reading, scope, box: document.body.firstElementChild as HTMLElement }
}

describe('useReading', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('takes a pointer that moves for a reader, and one that was left lying there for none', async () => {
    const { area, reading, box, scope } = list()
    area.value = box
    await nextTick()
    expect(reading.value).toBe(false)
    box.dispatchEvent(new Event('pointermove'))
    vi.advanceTimersByTime(3900)
    expect(reading.value).toBe(true)
    box.dispatchEvent(new Event('pointermove'))
    vi.advanceTimersByTime(3900)
    expect(reading.value).toBe(true)
    vi.advanceTimersByTime(200)
    expect(reading.value).toBe(false)
    box.dispatchEvent(new Event('pointermove'))
    box.dispatchEvent(new Event('pointerleave'))
    expect(reading.value).toBe(false)
    scope.stop()
  })

  it('holds for marked text, but only for text of the list', async () => {
    const { area, reading, box, scope } = list()
    area.value = box
    await nextTick()
    const mark = (inside: Node | null | undefined, isCollapsed: boolean): void => {
      vi.spyOn(document, 'getSelection').mockReturnValue({ isCollapsed, anchorNode: inside } as Selection)
      document.dispatchEvent(new Event('selectionchange'))
    }
    mark(document.querySelector('p')?.firstChild, false)
    expect(reading.value).toBe(false)
    mark(box.querySelector('a')?.firstChild, false)
    expect(reading.value).toBe(true)
    mark(box.querySelector('a')?.firstChild, true)
    expect(reading.value).toBe(false)
    scope.stop()
  })

  it('forgets a list that is no longer there', async () => {
    const { area, reading, box, scope } = list()
    area.value = box
    await nextTick()
    box.dispatchEvent(new Event('pointermove'))
    area.value = null
    await nextTick()
    expect(reading.value).toBe(false)
    box.dispatchEvent(new Event('pointermove'))
    expect(reading.value).toBe(false)
    scope.stop()
  })
})
