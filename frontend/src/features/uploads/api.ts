// Calls about uploads, and the transfer of bytes straight to the object storage.
import axios from 'axios'
import { send } from '@/api/client'
import { Problem } from '@/api/problem'
import type { Completion, PublicConfig, Storage, Upload, UploadList, UploadParts, UploadRequest, UploadTicket, Video } from '@/api/types'

/** What the person says about the video. */
export type UploadDetails = Required<{ [Key in 'title' | 'description' | 'visibility']: NonNullable<Completion[Key]> }>

export function getConfig(): Promise<PublicConfig> {
  return send({ url: '/config' })
}

export function startUpload(file: UploadRequest): Promise<UploadTicket> {
  return send({ method: 'post', url: '/uploads', data: file })
}

/** How far an upload is, by the store's own list of parts. */
export function getUpload(id: string): Promise<Upload> {
  return send({ url: `/uploads/${id}` })
}

/** One's own unfinished uploads. */
export async function listUploads(): Promise<Upload[]> {
  const page = await send<UploadList>({ url: '/uploads' })
  return page.items
}

export function signParts(id: string, part_numbers: number[]): Promise<UploadParts> {
  return send({ method: 'post', url: `/uploads/${id}/parts`, data: { part_numbers } })
}

export function abortUpload(id: string): Promise<void> {
  return send({ method: 'delete', url: `/uploads/${id}` })
}

/** The parts are not named: what the store has counts. Joining thousands of them takes it a while. */
export function completeUpload(id: string, details: UploadDetails): Promise<Video> {
  return send({ method: 'post', url: `/uploads/${id}/complete`, data: details, timeout: 120_000 })
}

export function getStorage(): Promise<Storage> {
  return send({ url: '/me/storage' })
}

/** Sends bytes to a presigned address and returns their ETag. No header of ours may go there: the signature forbids it. */
export async function putBytes(
  url: string,
  body: Blob,
  headers: Record<string, string>,
  onProgress: (loaded: number) => void,
  signal: AbortSignal,
): Promise<string> {
  try {
    const answer = await axios.put<unknown>(url, body, {
      // `false` keeps axios from naming a content type of its own where none was signed.
      headers: Object.keys(headers).length > 0 ? headers : { 'Content-Type': false },
      signal,
      timeout: 0,
      transformRequest: (data: Blob) => data,
      onUploadProgress: (event) => onProgress(event.loaded),
    })
    return String(answer.headers.etag ?? '')
  } catch (error) {
    throw Problem.from(error)
  }
}
