// Calls about watching.
import { send, sendOff } from '@/api/client'
import type { HistoryPage, WatchedVideo, WatchReport, WatchTicket } from '@/api/types'

export function beginWatching(video: string, viewer: string | null): Promise<WatchTicket> {
  return send({ method: 'post', url: `/videos/${encodeURIComponent(video)}/watch`, data: { viewer } })
}

/** Goes out even while the page is being left. */
export function reportWatching(video: string, report: WatchReport): void {
  sendOff(`/videos/${encodeURIComponent(video)}/watch/report`, report)
}

export function listHistory(params: { query?: string; cursor?: string }, signal?: AbortSignal): Promise<HistoryPage> {
  return send({ url: '/me/history', params, signal })
}

export function forgetVideo(video: string): Promise<void> {
  return send({ method: 'delete', url: `/me/history/${encodeURIComponent(video)}` })
}

export function clearHistory(): Promise<void> {
  return send({ method: 'delete', url: '/me/history' })
}

export function pauseHistory(paused: boolean): Promise<{ paused: boolean }> {
  return send({ method: 'put', url: '/me/history/pause', data: { paused } })
}

export function listUnfinished(signal?: AbortSignal): Promise<WatchedVideo[]> {
  return send({ url: '/me/unfinished', signal })
}
