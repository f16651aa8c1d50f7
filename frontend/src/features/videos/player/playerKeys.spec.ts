import { describe, expect, it, vi } from 'vitest'
import { type PlayerCommands, pressKey, takesKeys } from './playerKeys'

function player() {
  return {
    toggle: vi.fn(),
    seekBy: vi.fn(),
    seekTo: vi.fn(),
    volumeBy: vi.fn(),
    toggleMute: vi.fn(),
    toggleFullscreen: vi.fn(),
    toggleCaptions: vi.fn(),
    toggleTheatre: vi.fn(),
    togglePip: vi.fn(),
    toggleHelp: vi.fn(),
    stepSpeed: vi.fn(),
  } satisfies PlayerCommands
}
const press = (key: string, commands: PlayerCommands, ctrlKey = false) => pressKey({ key, ctrlKey, metaKey: false, altKey: false }, commands)

describe('pressKey', () => {
  it('knows the keys people expect', () => {
    const commands = player()
    for (const key of [' ', 'k', 'K']) expect(press(key, commands)).toBe(true)
    expect(commands.toggle).toHaveBeenCalledTimes(3)
    press('c', commands)
    expect(commands.toggleCaptions).toHaveBeenCalledTimes(1)
    for (const key of ['t', 'I', '?']) expect(press(key, commands)).toBe(true)
    for (const command of [commands.toggleTheatre, commands.togglePip, commands.toggleHelp]) expect(command).toHaveBeenCalledTimes(1)
    press('j', commands)
    press('ArrowRight', commands)
    expect(commands.seekBy.mock.calls).toEqual([[-10], [5]])
    press('7', commands)
    expect(commands.seekTo).toHaveBeenCalledWith(0.7)
    press('>', commands)
    press('<', commands)
    expect(commands.stepSpeed.mock.calls).toEqual([[1], [-1]])
  })

  it('leaves other keys and shortcuts of the browser alone', () => {
    const commands = player()
    expect(press('x', commands)).toBe(false)
    expect(press('f', commands, true)).toBe(false)
    expect(commands.toggleFullscreen).not.toHaveBeenCalled()
  })
})

describe('takesKeys', () => {
  it('lets people type and press buttons', () => {
    document.body.innerHTML = '<input id="text"><textarea id="area"></textarea><input id="range" type="range"><button id="button"></button>'
    const element = (id: string) => document.getElementById(id)
    expect(takesKeys(element('text'), 'k')).toBe(true)
    expect(takesKeys(element('area'), 'm')).toBe(true)
    expect(takesKeys(element('range'), 'k')).toBe(false)
    expect(takesKeys(element('button'), ' ')).toBe(true)
    expect(takesKeys(element('button'), 'k')).toBe(false)
  })
})
