// Calls of the studio.
import { send } from '@/api/client'
import type { BulkEdit, ChangeVideosRequest, Chapter, Extras, Statistics, ThumbnailList, ThumbnailTarget, Video } from '@/api/types'

const of = (id: string) => `/videos/${encodeURIComponent(id)}`

export function getExtras(id: string, signal?: AbortSignal): Promise<Extras> {
  return send({ url: `${of(id)}/extras`, signal })
}

export function putCaptions(id: string, language: string, data: { text: string; label?: string }): Promise<Extras> {
  return send({ method: 'put', url: `${of(id)}/captions/${encodeURIComponent(language)}`, data })
}

export function updateCaptions(id: string, language: string, data: { label?: string; is_default?: boolean }): Promise<Extras> {
  return send({ method: 'patch', url: `${of(id)}/captions/${encodeURIComponent(language)}`, data })
}

export function deleteCaptions(id: string, language: string): Promise<void> {
  return send({ method: 'delete', url: `${of(id)}/captions/${encodeURIComponent(language)}` })
}

export function setChapters(id: string, chapters: Chapter[]): Promise<Extras> {
  return send({ method: 'put', url: `${of(id)}/chapters`, data: { chapters } })
}

export function listThumbnails(id: string, signal?: AbortSignal): Promise<ThumbnailList> {
  return send({ url: `${of(id)}/thumbnails`, signal })
}

export function createThumbnail(id: string, file: File): Promise<ThumbnailTarget> {
  return send({ method: 'post', url: `${of(id)}/thumbnails`, data: { content_type: file.type, size: file.size } })
}

export function completeThumbnail(id: string, thumbnail: string): Promise<ThumbnailList> {
  return send({ method: 'post', url: `${of(id)}/thumbnails/${thumbnail}/complete` })
}

export function chooseThumbnail(id: string, thumbnail: string): Promise<ThumbnailList> {
  return send({ method: 'post', url: `${of(id)}/thumbnails/${thumbnail}/choose` })
}

export function deleteThumbnail(id: string, thumbnail: string): Promise<void> {
  return send({ method: 'delete', url: `${of(id)}/thumbnails/${thumbnail}` })
}

export function scheduleVideo(id: string, publish_at: string): Promise<Video> {
  return send({ method: 'put', url: `${of(id)}/schedule`, data: { publish_at } })
}

export function unscheduleVideo(id: string): Promise<Video> {
  return send({ method: 'delete', url: `${of(id)}/schedule` })
}

export function deleteForever(id: string): Promise<void> {
  return send({ method: 'delete', url: of(id), params: { forever: true } })
}

export function getOriginal(id: string): Promise<{ url: string }> {
  return send({ url: `${of(id)}/original` })
}

/** Joining the parts of a large file takes the server a while. */
export function replaceSource(id: string, upload_id: string): Promise<Video> {
  return send({ method: 'post', url: `${of(id)}/source`, data: { upload_id }, timeout: 120_000 })
}

export function changeVideos(data: ChangeVideosRequest): Promise<BulkEdit> {
  return send({ method: 'post', url: '/bulk_edits', data })
}

export function getBulkEdit(id: string): Promise<BulkEdit> {
  return send({ url: `/bulk_edits/${id}` })
}

export function getStatistics(id: string, days: number): Promise<Statistics> {
  return send({ url: `${of(id)}/statistics`, params: { days } })
}
