// Calls about watching.
import { send, sendOff } from '@/api/client'
import type { WatchReport, WatchTicket } from '@/api/types'

export function beginWatching(video: string, viewer: string | null): Promise<WatchTicket> {
  return send({ method: 'post', url: `/videos/${encodeURIComponent(video)}/watch`, data: { viewer } })
}

/** Goes out even while the page is being left. */
export function reportWatching(video: string, report: WatchReport): void {
  sendOff(`/videos/${encodeURIComponent(video)}/watch/report`, report)
}
