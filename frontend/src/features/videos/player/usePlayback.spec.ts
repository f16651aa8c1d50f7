import { effectScope } from 'vue'
import { describe, expect, it, vi } from 'vitest'
import { usePlayback } from './usePlayback'

/** What a video element does when a source is put in: whatever was asked of the old one is over, without an event. */
class Media extends EventTarget {
  paused = true
  ended = false
  currentTime = 0
  duration = NaN
  buffered = { length: 0 }
  volume = 1
  muted = false
  playbackRate = 1
  readyState = 0
  videoWidth = 0
  reject: (cause: unknown) => void = () => undefined
  play = vi.fn(() => {
    this.paused = false
    return new Promise<void>((_, reject) => (this.reject = reject))
  })

  pause(): void {
    this.paused = true
    this.dispatchEvent(new Event('pause'))
  }

  async load(cause = 'AbortError'): Promise<void> {
    this.paused = true
    this.reject(new DOMException('a new source', cause))
    await Promise.resolve()
    this.dispatchEvent(new Event('emptied'))
    this.dispatchEvent(new Event('loadedmetadata'))
  }
}

function playing() {
  const media = new Media()
  const playback = effectScope().run(() => usePlayback(() => media as unknown as HTMLVideoElement))
  if (!playback) throw new Error('no scope')
  return { media, playback }
}

describe('usePlayback', () => {
  it('plays what was put in after play was pressed', async () => {
    const { media, playback } = playing()
    playback.toggle()
    await media.load()
    expect(media.paused).toBe(false)
    expect(media.play).toHaveBeenCalledTimes(2)
  })

  it('does not play what nobody wants to see', async () => {
    const { media, playback } = playing()
    await media.load()
    playback.toggle()
    playback.toggle()
    await media.load()
    expect(media.paused).toBe(true)
    expect(media.play).toHaveBeenCalledTimes(1)
  })

  it('takes no for an answer', async () => {
    const { media, playback } = playing()
    playback.toggle()
    media.reject(new DOMException('not without a gesture', 'NotAllowedError'))
    await Promise.resolve()
    await media.load()
    expect(media.play).toHaveBeenCalledTimes(1)
  })
})
