// The frames of the socket, as both sides write them.
import type { LiveVideo, Upload } from '@/api/types'

/** Where a topic is: `seq` grows by one with each durable event of one `epoch`. */
export interface Position {
  epoch: string | number
  seq: number
}

/** Marks a progress frame: it takes no `seq`, and of one job the highest `(run_no, n)` wins. */
export interface ProgressMark {
  job: string
  run_no: number
  n: number
}

export type ServerFrame =
  | { type: 'auth_ok'; expires_at: string }
  | ({ type: 'snapshot'; topic: string; data: unknown } & Position)
  | ({ type: 'event'; topic: string; data: unknown; progress?: ProgressMark } & Position)
  | { type: 'subscribed'; topic: string; recovered: boolean }
  | { type: 'unsubscribed'; topic: string }
  | { type: 'pong' }
  | { type: 'error'; code: string; topic?: string }

export type ClientFrame =
  | { type: 'auth'; ticket: string }
  | { type: 'subscribe'; topic: string; since?: Position }
  | { type: 'unsubscribe'; topic: string }
  | { type: 'ping' }

/** The data of `video:{id}`. */
export interface VideoData {
  type: 'video'
  video: LiveVideo
  generation: number
}

/** The data of `user:{id}`: a snapshot, then single changes. */
export type UserData =
  | { type: 'user'; videos: (LiveVideo | VideoData)[]; uploads: unknown[] }
  | { type: 'video'; video: LiveVideo; generation?: number }
  | { type: 'video_deleted'; id: string }
  | { type: 'upload'; upload: { id: string; status: Upload['status']; video_id: string | null } }
  | { type: 'notification'; id: string }
  | { type: 'notifications_read' }
  | { type: 'order'; id: string }

/** What a subscriber gets: a snapshot replaces what it knew, an event changes it. */
export interface Delivery {
  kind: 'snapshot' | 'event'
  data: unknown
  progress?: ProgressMark
}
