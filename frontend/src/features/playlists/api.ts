// Calls about playlists and related videos.
import { send } from '@/api/client'
import type { NewPlaylist, Playlist, PlaylistChanges, PlaylistItemPage, PlaylistList, Video, VideoPage } from '@/api/types'

const one = (id: string) => `/playlists/${encodeURIComponent(id)}`
const item = (id: string, video: string) => `${one(id)}/items/${encodeURIComponent(video)}`

export function listPlaylists(video?: string): Promise<PlaylistList> {
  return send({ url: '/me/playlists', params: { video } })
}

export function listChannelPlaylists(username: string): Promise<PlaylistList> {
  return send({ url: `/channels/${encodeURIComponent(username)}/playlists` })
}

export function createPlaylist(data: NewPlaylist): Promise<Playlist> {
  return send({ method: 'post', url: '/playlists', data })
}

export function getPlaylist(id: string): Promise<Playlist> {
  return send({ url: one(id) })
}

export function changePlaylist(id: string, data: PlaylistChanges): Promise<Playlist> {
  return send({ method: 'patch', url: one(id), data })
}

export function deletePlaylist(id: string): Promise<void> {
  return send({ method: 'delete', url: one(id) })
}

export function listItems(id: string, params: { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<PlaylistItemPage> {
  return send({ url: `${one(id)}/items`, params, signal })
}

export function setInPlaylist(id: string, video: string, inside: boolean): Promise<void> {
  return send({ method: inside ? 'put' : 'delete', url: item(id, video) })
}

export function moveItem(id: string, video: string, before: string | null): Promise<void> {
  return send({ method: 'post', url: `${item(id, video)}/move`, data: { before } })
}

export function listLiked(params: { cursor?: string }, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: '/me/liked', params, signal })
}

export function listRelated(video: string, signal?: AbortSignal): Promise<Video[]> {
  return send({ url: `/videos/${encodeURIComponent(video)}/related`, signal })
}
