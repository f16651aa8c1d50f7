// Calls about finding videos.
import { send } from '@/api/client'
import type { SearchPage, Suggestion, VideoPage } from '@/api/types'
import type { SearchFilters } from './searchFilters'

export function search(params: SearchFilters & { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<SearchPage> {
  return send({ url: '/search', params, signal })
}

export async function suggest(q: string, signal?: AbortSignal): Promise<Suggestion[]> {
  return (await send<{ items: Suggestion[] }>({ url: '/search/suggest', params: { q }, signal })).items
}

export function listTrending(params: { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: '/videos/trending', params, signal })
}

export function listRecommended(params: { cursor?: string; limit?: number }, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: '/videos/recommended', params, signal })
}
