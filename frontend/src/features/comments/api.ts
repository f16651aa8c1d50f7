// Calls about comments and reports.
import { send } from '@/api/client'
import type { Comment, CommentLikeState, CommentPage, CommentSort, ReportRequest } from '@/api/types'

const of = (video: string) => `/videos/${encodeURIComponent(video)}/comments`
const one = (id: string) => `/comments/${encodeURIComponent(id)}`

export function listComments(video: string, params: { sort: CommentSort; cursor?: string }, signal?: AbortSignal): Promise<CommentPage> {
  return send({ url: of(video), params, signal })
}

export function listReplies(id: string, params: { cursor?: string }, signal?: AbortSignal): Promise<CommentPage> {
  return send({ url: `${one(id)}/replies`, params, signal })
}

export function getComment(id: string): Promise<Comment> {
  return send({ url: one(id) })
}

export function writeComment(video: string, body: string, parent_id: string | null): Promise<Comment> {
  return send({ method: 'post', url: of(video), data: { body, parent_id } })
}

export function editComment(id: string, body: string): Promise<Comment> {
  return send({ method: 'patch', url: one(id), data: { body } })
}

export function deleteComment(id: string): Promise<void> {
  return send({ method: 'delete', url: one(id) })
}

export function setCommentLiked(id: string, liked: boolean): Promise<CommentLikeState> {
  return send({ method: liked ? 'put' : 'delete', url: `${one(id)}/like` })
}

export function setPinned(id: string, pinned: boolean): Promise<void> {
  return send({ method: pinned ? 'put' : 'delete', url: `${one(id)}/pin` })
}

export function sendReport(data: ReportRequest): Promise<void> {
  return send({ method: 'post', url: '/reports', data })
}
