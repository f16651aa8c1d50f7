// The records that the API speaks.
export interface User {
  id: string
  username: string
  email: string
  role: 'user' | 'auditor' | 'operator' | 'admin'
  avatar_url: string | null
  bio: string
  language: string
  is_active: boolean
  created_at: string
}

export interface Session {
  access_token: string
  expires_in: number
  user: User
}

export type Visibility = 'public' | 'unlisted' | 'private'
export type VideoStatus = 'processing' | 'ready' | 'failed'
export type Stage = 'queued' | 'probing' | 'encoding' | 'packaging' | 'publishing' | 'done'

export interface Quality {
  name: string
  height: number
  width: number
  bitrate: number | null
  status: 'processing' | 'ready'
}

export interface VideoError {
  code: string
  message: string
}

export interface Video {
  id: string
  owner: { id: string; username: string }
  title: string
  description: string
  visibility: Visibility
  status: VideoStatus
  progress: number
  stage: Stage
  error: VideoError | null
  playable: boolean
  duration: number | null
  width: number | null
  height: number | null
  hls_url: string | null
  poster_url: string | null
  qualities: Quality[]
  views: number
  likes: number
  file_size: number
  original_format: string | null
  created_at: string
  updated_at: string
  published_at: string | null
}

export interface VideoPage {
  items: Video[]
  next_cursor: string | null
}

export interface UploadPart {
  part_number: number
  url: string
}

export type UploadTicket =
  | { upload_id: string; method: 'single'; url: string; headers: Record<string, string> }
  | { upload_id: string; method: 'multipart'; part_size: number; part_count: number; parts: UploadPart[] }

export interface PublicConfig {
  max_upload_size: number
  single_put_limit: number
  allowed_extensions: string[]
  registration: string
  version: string
}

// The live view of a video: what a topic carries. The other fields come from `GET /api/videos/{id}`.
export type LiveVideo = Pick<
  Video,
  | 'id'
  | 'title'
  | 'status'
  | 'progress'
  | 'stage'
  | 'error'
  | 'playable'
  | 'hls_url'
  | 'poster_url'
  | 'duration'
  | 'width'
  | 'height'
  | 'qualities'
>
