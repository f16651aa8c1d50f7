import { describe, expect, it } from 'vitest'
import type { LiveVideo } from '@/api/types'
import { type LiveState, mergeLive } from './merge'

function view(changes: Partial<LiveVideo> = {}): LiveVideo {
  return {
    id: 'v',
    title: 'Clip',
    status: 'processing',
    progress: 0,
    stage: 'encoding',
    error: null,
    playable: false,
    hls_url: null,
    hls_credentials: false,
    mp4_url: null,
    poster_url: null,
    duration: null,
    width: null,
    height: null,
    qualities: [],
    ...changes,
  }
}
const mark = (n: number, run_no = 1, job = 'chunk') => ({ job, run_no, n })

describe('mergeLive', () => {
  it('never lets the percent go down within a generation, whatever the order of frames', () => {
    const frames = [10, 40, 30, 35, 60, 55, 90, 20]
    let state: LiveState | null = null
    let shown = 0
    frames.forEach((progress, n) => {
      state = mergeLive(state, view({ progress }), 1, mark(n + 1))
      expect(state.video.progress).toBeGreaterThanOrEqual(shown)
      shown = state.video.progress
    })
    expect(shown).toBe(90)
  })

  it('keeps the floor when a durable event carries a lower percent', () => {
    const before = mergeLive(null, view({ progress: 64 }), 1)
    const after = mergeLive(before, view({ progress: 60, stage: 'packaging' }), 1)
    expect(after.video).toMatchObject({ progress: 64, stage: 'packaging' })
  })

  it('ignores progress of an older run and repeated frames', () => {
    const first = mergeLive(null, view({ progress: 5 }), 1, mark(7, 2))
    expect(mergeLive(first, view({ progress: 50 }), 1, mark(7, 2))).toBe(first)
    expect(mergeLive(first, view({ progress: 50 }), 1, mark(99, 1))).toBe(first)
    expect(mergeLive(first, view({ progress: 50 }), 1, mark(8, 2)).video.progress).toBe(50)
  })

  it('does not let late progress undo the end', () => {
    const ready = mergeLive(null, view({ status: 'ready', progress: 100, stage: 'done', playable: true }), 1)
    const after = mergeLive(ready, view({ progress: 97 }), 1, mark(400))
    expect(after.video).toMatchObject({ status: 'ready', progress: 100, stage: 'done' })
  })

  it('keeps what a durable event gave when an earlier progress frame arrives after it', () => {
    const playable = mergeLive(null, view({ progress: 30, playable: true, hls_url: '/api/hls/x/event/master.m3u8', duration: 9 }), 1)
    const after = mergeLive(playable, view({ progress: 31 }), 1, mark(3))
    expect(after.video).toMatchObject({ progress: 31, playable: true, hls_url: '/api/hls/x/event/master.m3u8', duration: 9 })
  })

  it('starts over with a new generation and ignores an old one', () => {
    const old = mergeLive(null, view({ status: 'ready', progress: 100 }), 1)
    const next = mergeLive(old, view({ progress: 3, stage: 'probing' }), 2)
    expect(next.video).toMatchObject({ status: 'processing', progress: 3 })
    expect(mergeLive(next, view({ progress: 80 }), 1)).toBe(next)
  })

  it('lets a retry begin below the percent at which it had failed', () => {
    const failed = mergeLive(null, view({ status: 'failed', progress: 70, error: { code: 'x', message: 'x' } }), 1)
    expect(mergeLive(failed, view({ progress: 12 }), 1).video).toMatchObject({ status: 'processing', progress: 12, error: null })
  })
})
