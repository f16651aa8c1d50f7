// Reports what a player plays: when it became a view, every ten seconds, and when it is paused, hidden or left.
import { onScopeDispose, watch } from 'vue'
import type { WatchTicket } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { beginWatching, reportWatching } from './api'
import { keepViewerName, viewerName } from './viewer'
import { WatchTime } from './watchTime'

const EVERY_SECONDS = 10

/** `media` is the element that plays `id`. */
export function useWatching(id: () => string, media: () => HTMLMediaElement | null | undefined) {
  const session = useSession()
  let ticket: WatchTicket | null = null
  let asking = false
  let time = new WatchTime()
  let reported = 0
  let watched: HTMLMediaElement | null | undefined

  async function begin(): Promise<void> {
    if (asking || ticket) return
    asking = true
    const wanted = id()
    try {
      const answer = await beginWatching(wanted, viewerName())
      if (wanted !== id()) return
      ticket = answer
      if (answer.viewer) keepViewerName(answer.viewer)
    } catch {
      // Nobody misses a view that could not be counted; the next sign of life tries again.
    } finally {
      asking = false
    }
  }

  function report(): void {
    const player = watched
    if (!player || !ticket || time.seconds === reported) return
    reported = time.seconds
    reportWatching(id(), { ticket: ticket.ticket, watched: time.seconds, position: player.ended ? player.duration : player.currentTime, at: new Date().toISOString() })
  }

  function sign(event: Event): void {
    const player = watched
    if (!player) return
    time.tick(performance.now(), !player.paused && !player.seeking && event.type !== 'waiting')
    if (!player.paused && time.seconds > 0) void begin()
    if (event.type === 'pause' || event.type === 'ended') report()
    else if (ticket) {
      const crossed = reported < ticket.counts_after && time.seconds >= ticket.counts_after
      if (crossed || time.seconds - reported >= EVERY_SECONDS) report()
    }
  }

  function hidden(): void {
    if (document.visibilityState === 'hidden') report()
  }

  const EVENTS = ['timeupdate', 'playing', 'pause', 'waiting', 'seeking', 'seeked', 'ended']
  function listen(next: HTMLMediaElement | null | undefined): void {
    report()
    for (const name of EVENTS) watched?.removeEventListener(name, sign)
    watched = next
    for (const name of EVENTS) watched?.addEventListener(name, sign)
  }
  watch(media, listen, { immediate: true, flush: 'post' })

  watch([id, () => session.user?.id], () => {
    ticket = null
    time = new WatchTime()
    reported = 0
  })
  document.addEventListener('visibilitychange', hidden)
  window.addEventListener('pagehide', report)
  onScopeDispose(() => {
    listen(undefined)
    document.removeEventListener('visibilitychange', hidden)
    window.removeEventListener('pagehide', report)
  })
}
