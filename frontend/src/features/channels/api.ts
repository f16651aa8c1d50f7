// Calls about channels, following, and what somebody is to a video.
import { send } from '@/api/client'
import type { Channel, ChannelSort, FollowedPage, FollowState, LikeState, VideoPage, ViewerState } from '@/api/types'

export interface PageQuery {
  cursor?: string
  limit?: number
}

const channel = (username: string) => `/channels/${encodeURIComponent(username)}`

export function getChannel(username: string, signal?: AbortSignal): Promise<Channel> {
  return send({ url: channel(username), signal })
}

export function listChannelVideos(username: string, params: PageQuery & { sort?: ChannelSort }, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: `${channel(username)}/videos`, params, signal })
}

export function setFollowing(username: string, following: boolean): Promise<FollowState> {
  return send({ method: following ? 'put' : 'delete', url: `${channel(username)}/follow` })
}

export function listFollowing(params: PageQuery): Promise<FollowedPage> {
  return send({ url: '/me/following', params })
}

export function listFeed(params: PageQuery, signal?: AbortSignal): Promise<VideoPage> {
  return send({ url: '/me/feed', params, signal })
}

export function setLiked(video: string, liked: boolean): Promise<LikeState> {
  return send({ method: liked ? 'put' : 'delete', url: `/videos/${encodeURIComponent(video)}/like` })
}

export function getViewerState(video: string, signal?: AbortSignal): Promise<ViewerState> {
  return send({ url: `/videos/${encodeURIComponent(video)}/viewer`, signal })
}
