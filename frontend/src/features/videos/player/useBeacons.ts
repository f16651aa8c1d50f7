// Says which parts of a video are played, every few seconds and at the end, for its owner's statistics. Nothing of it is
// shown, and what does not arrive is not sent again.
import { onMounted, onScopeDispose } from 'vue'
import { send } from '@/api/client'

const EVERY_MS = 15_000
/** A jump of more than this between two looks is a seek; at double speed a look covers half a second. */
const JUMP = 1.5
const MOST_RANGES = 50

/** Gathers what is played. */
export class Played {
  private ranges: { from: number; to: number }[] = []
  private last: number | null = null

  /** Another look at the position while it plays. */
  look(time: number): void {
    const open = this.ranges.at(-1)
    if (this.last !== null && open && time >= this.last && time - this.last <= JUMP) open.to = time
    else if (this.ranges.length < MOST_RANGES) this.ranges.push({ from: time, to: time })
    this.last = time
  }

  /** It does not play any more, or somewhere else. */
  stop(): void {
    this.last = null
  }

  /** What was played since the last time. */
  take(): { from: number; to: number }[] {
    const taken = this.ranges.filter(({ from, to }) => to > from)
    const open = this.last
    this.ranges = open === null ? [] : [{ from: open, to: open }]
    return taken
  }
}

export function useBeacons(id: () => string, state: { paused: boolean; waiting: boolean; time: number }) {
  const played = new Played()
  let begun = false
  const url = () => `/videos/${encodeURIComponent(id())}/beacons`

  function look(): void {
    if (state.paused || state.waiting) played.stop()
    else played.look(state.time)
  }

  function say(last = false): void {
    const ranges = played.take()
    if (ranges.length === 0) return
    const beacon = { begins: !begun, ranges }
    begun = true
    if (last) navigator.sendBeacon(`/api${url()}`, new Blob([JSON.stringify(beacon)], { type: 'application/json' }))
    else void send({ method: 'post', url: url(), data: beacon }).catch(() => undefined)
  }

  const leave = () => say(true)
  let looks: ReturnType<typeof setInterval> | undefined
  let words: ReturnType<typeof setInterval> | undefined
  onMounted(() => {
    looks = setInterval(look, 250)
    words = setInterval(() => say(), EVERY_MS)
    window.addEventListener('pagehide', leave)
  })
  onScopeDispose(() => {
    clearInterval(looks)
    clearInterval(words)
    window.removeEventListener('pagehide', leave)
    say()
  })
}
