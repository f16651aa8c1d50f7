import { afterEach, describe, expect, it } from 'vitest'
import { effectScope, shallowRef } from 'vue'
import { firstChoice, nameOf, useCaptions } from './useCaptions'

const track = (language: string, is_default = false, label = '') => ({ language, is_default, label, cues: 1, url: `/${language}.vtt` })
const TRACKS = [track('en', true), track('zh-TW')]

afterEach(() => localStorage.clear())

describe('firstChoice', () => {
  it('is what was chosen last, else the default', () => {
    expect(firstChoice(TRACKS, null)).toBe('en')
    expect(firstChoice(TRACKS, 'zh-TW')).toBe('zh-TW')
    expect(firstChoice(TRACKS, 'zh-Hant')).toBe('zh-TW')
    expect(firstChoice(TRACKS, 'off')).toBeNull()
    expect(firstChoice([track('de')], null)).toBeNull()
  })
})

describe('useCaptions', () => {
  it('remembers, and goes back to what was on', () => {
    const tracks = shallowRef(TRACKS)
    const captions = effectScope().run(() => useCaptions(() => undefined, () => tracks.value, () => false))
    if (!captions) throw new Error('no scope')
    expect(captions.chosen.value).toBe(0)
    captions.choose(1)
    expect(localStorage.getItem('millrace.captions')).toBe('zh-TW')
    captions.toggle()
    expect([captions.chosen.value, localStorage.getItem('millrace.captions')]).toEqual([-1, 'off'])
    captions.toggle()
    expect(captions.chosen.value).toBe(1)
  })
})

describe('nameOf', () => {
  it('is the label, or the language', () => {
    expect(nameOf(track('en', false, 'Signs'), 'en')).toBe('Signs')
    expect(nameOf(track('de'), 'en')).toBe('German')
  })
})
