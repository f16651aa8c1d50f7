// The records that the API speaks, by short names. They are generated from the OpenAPI document: `npm run api`.
import type { components } from './schema'

type Schemas = components['schemas']

export type User = Schemas['User']
export type Session = Schemas['LoginResponse']
export type Registration = Schemas['RegisterRequest']

export type Video = Schemas['Video']
/** The live view of a video: what a topic carries. The other fields come from `GET /api/videos/{id}`. */
export type LiveVideo = Schemas['LiveVideo']
export type VideoPage = Schemas['VideoPage']
export type VideoChanges = Schemas['UpdateVideoRequest']
export type Visibility = Schemas['Visibility']
export type Stage = Schemas['Stage']
export type Quality = Schemas['Quality']

export type UploadTicket = Schemas['UploadTarget']
export type UploadRequest = Schemas['CreateUploadRequest']
/** Addresses of parts, or of the whole where there are none. */
export type UploadParts = Schemas['PartUrls']
export type Upload = Schemas['Upload']
export type UploadList = Schemas['UploadList']
export type Storage = Schemas['Usage']
export type Completion = Schemas['CompleteUploadRequest']

export type SocketTicket = Schemas['TicketResponse']
export type PublicConfig = Schemas['PublicConfig']
export type ProblemBody = Schemas['Problem']
export type FieldError = Schemas['FieldError']

export interface JobPage {
  items: JobLine[]
  next_cursor: string | null
}
export interface JobLine {
  id: string
  kind: string
  queue: string
  state: string
  priority: number
  attempt: number
  max_attempts: number
  crash_count: number
  run_at: string
  created_at: string
  started_at: string | null
  finished_at: string | null
  worker_id: string | null
  owner: string | null
  group_id: string | null
  tags: string[]
  cancelling: boolean
  reason: string | null
}
export interface JobDetail {
  id: string
  kind: string
  queue: string
  state: string
  priority: number
  attempt: number
  max_attempts: number
  crash_count: number
  max_crashes: number
  run_no: number
  run_at: string
  created_at: string
  started_at: string | null
  finished_at: string | null
  worker_id: string | null
  owner: string | null
  group_id: string | null
  args: unknown
  result: unknown
  checkpoint: unknown
  meta: unknown
  errors: unknown
  cancel_requested_at: string | null
  cancel_reason: string | null
  code: string | null
  reason: string | null
  why: Why[]
  log: Line[]
}
export interface Why {
  code: string
  detail: string
}
export interface Line {
  run_no: number
  at: string
  line: string
}
export interface Acted {
  id: string
  outcome: string
}
export interface QueueList {
  items: QueueView[]
}
export interface QueueView {
  name: string
  backlog: number
  oldest_due_seconds: number
  running: number
  slots: number
  paused_at: string | null
  paused_by: string | null
  note: string | null
  max_running: number | null
  fair: boolean
}
export interface PauseRequest {
  note?: string | null
}
