// One upload as the pages see it.
import type { Problem } from '@/api/problem'
import type { Video } from '@/api/types'
import type { UploadDetails } from './api'

/**
 * queued: waits for its turn; sending: bytes are moving; paused: by the person; finishing: the server joins and checks;
 * done: there is a video; failed: see `problem`; lost: unfinished, and the file has to be chosen again;
 * elsewhere: another tab of this browser sends it.
 */
export type UploadPhase = 'queued' | 'sending' | 'paused' | 'finishing' | 'done' | 'failed' | 'lost' | 'elsewhere'

export interface UploadItem {
  /** Names the row on the page; the upload itself has an id only once the server has given it one. */
  readonly key: string
  id: string | null
  readonly name: string
  readonly size: number
  phase: UploadPhase
  /** Bytes that have arrived or are on their way. */
  sent: number
  /** Bytes a second, once there is something to say. */
  rate: number | null
  /** Nothing moves for want of a network. It goes on by itself. */
  stalled: boolean
  details: UploadDetails
  /** The person has confirmed the details. Until then the video is nobody else's to see. */
  published: boolean
  saving: boolean
  video: Video | null
  problem: Problem | null
  /** One click leads back to the file. */
  reachable: boolean
}

const ACTIVE: readonly UploadPhase[] = ['queued', 'sending', 'finishing']

/** Whether closing the tab would interrupt it. */
export function isActive(item: UploadItem): boolean {
  return ACTIVE.includes(item.phase)
}

export function percentOf(item: UploadItem): number {
  if (item.phase === 'done' || item.size === 0) return 100
  return (item.sent / item.size) * 100
}

export function secondsLeft(item: UploadItem): number | null {
  return item.phase === 'sending' && !item.stalled && item.rate ? (item.size - item.sent) / item.rate : null
}

/** All unfinished bytes together, for the bar at the top. */
export function totalPercent(items: readonly UploadItem[]): number {
  const active = items.filter(isActive)
  const size = active.reduce((sum, item) => sum + item.size, 0)
  return size === 0 ? 100 : (active.reduce((sum, item) => sum + item.sent, 0) / size) * 100
}
