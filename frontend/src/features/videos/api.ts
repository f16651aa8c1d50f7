// Calls about videos.
import { send } from '@/api/client'
import type { Category, Video, VideoChanges, VideoPage } from '@/api/types'

export interface VideoQuery {
  query?: string
  sort?: 'new' | 'old' | 'title' | 'views'
  cursor?: string
  limit?: number
  owner?: 'me'
  tag?: string
  category?: Category
  visibility?: Video['visibility']
  status?: Video['status']
  trash?: boolean
}

export function listVideos(params: VideoQuery, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: '/videos', params, signal })
}

export function getVideo(id: string, signal?: AbortSignal): Promise<Video> {
  return send({ url: `/videos/${encodeURIComponent(id)}`, signal })
}

export function updateVideo(id: string, data: VideoChanges): Promise<Video> {
  return send({ method: 'patch', url: `/videos/${encodeURIComponent(id)}`, data })
}

export function deleteVideo(id: string): Promise<void> {
  return send({ method: 'delete', url: `/videos/${encodeURIComponent(id)}` })
}

/** Takes it out of the trash. */
export function restoreVideo(id: string): Promise<Video> {
  return send({ method: 'post', url: `/videos/${encodeURIComponent(id)}/restore` })
}

export function retryVideo(id: string): Promise<Video> {
  return send({ method: 'post', url: `/videos/${encodeURIComponent(id)}/retry` })
}

export function cancelVideo(id: string): Promise<Video> {
  return send({ method: 'post', url: `/videos/${encodeURIComponent(id)}/cancel` })
}
