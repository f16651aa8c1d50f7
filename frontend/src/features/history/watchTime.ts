// How long somebody really watched: the time between two signs of life of a player that plays. A seek is no time watched,
// and neither is a tab that slept.
const LONGEST_GAP_MS = 2_000

export class WatchTime {
  private last: number | null = null
  private total = 0

  /** A sign of life at `now` (milliseconds of a steady clock). */
  tick(now: number, playing: boolean): void {
    if (playing && this.last !== null) {
      const passed = now - this.last
      if (passed > 0 && passed <= LONGEST_GAP_MS) this.total += passed
    }
    this.last = playing ? now : null
  }

  get seconds(): number {
    return this.total / 1000
  }
}
