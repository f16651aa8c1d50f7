import { effectScope } from 'vue'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { useKeys } from './useKeys'

const down = vi.fn()
const scope = { stop: () => undefined as void }

function press(target: EventTarget, key: string, more: KeyboardEventInit = {}): boolean {
  return !target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }))
}

function put(html: string): HTMLElement {
  document.body.innerHTML = html
  return document.body.firstElementChild as HTMLElement
}

describe('useKeys', () => {
  beforeEach(() => {
    down.mockClear()
    const running = effectScope()
    running.run(() => useKeys({ j: down }))
    scope.stop = () => running.stop()
  })
  afterEach(() => scope.stop())

  it('hears its keys and leaves the others to the browser', () => {
    expect(press(document.body, 'j')).toBe(true)
    expect(press(document.body, 'x')).toBe(false)
    expect(press(document.body, 'toString')).toBe(false)
    expect(press(document.body, 'j', { ctrlKey: true })).toBe(false)
    expect(down).toHaveBeenCalledTimes(1)
  })

  it('takes no letter from somebody who types', () => {
    for (const field of ['<input>', '<textarea></textarea>', '<select></select>', '<div role="dialog"></div>']) expect(press(put(field), 'j')).toBe(false)
    expect(press(put('<input type="checkbox">'), 'j')).toBe(true)
    expect(press(put('<a href="/x">x</a>'), 'j')).toBe(true)
    expect(down).toHaveBeenCalledTimes(2)
  })

  it('is silent once the page is left', () => {
    scope.stop()
    expect(press(document.body, 'j')).toBe(false)
  })
})
