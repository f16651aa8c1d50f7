// What one does to a comment, with questions before and messages after; shared by threads and replies.
import { useI18n } from 'vue-i18n'
import { Problem } from '@/api/problem'
import type { Comment } from '@/api/types'
import { useGuestDoor } from '@/features/channels/useGuestDoor'
import { ask } from '@/features/shell/ask'
import { notify } from '@/features/shell/notify'
import { useProblemText } from '@/features/shell/useProblemText'
import * as api from './api'

export function useCommentActions() {
  const { t } = useI18n()
  const problemText = useProblemText()
  const admitted = useGuestDoor()

  async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work()
    } catch (error) {
      void notify('error', problemText(Problem.from(error)))
      return null
    }
  }

  /** The comment with the like turned, or null when that was refused. */
  async function toggleLike(comment: Comment): Promise<Comment | null> {
    if (!admitted()) return null
    const state = await attempt(() => api.setCommentLiked(comment.id, !comment.liked))
    return state && { ...comment, ...state }
  }

  /** True when the comment is gone. */
  async function remove(comment: Comment): Promise<boolean> {
    const text = comment.replies > 0 ? t('comments.deleteThread', { n: comment.replies }, comment.replies) : t('comments.deleteText')
    const question = { title: t('comments.deleteTitle'), text, yes: t('comments.delete'), no: t('app.cancel'), harm: true }
    if (!(await ask(question))) return false
    const gone = await attempt(() => api.deleteComment(comment.id).then(() => true))
    if (gone) void notify('success', t('comments.deleted'))
    return gone === true
  }

  async function togglePin(comment: Comment): Promise<boolean> {
    return (await attempt(() => api.setPinned(comment.id, !comment.pinned).then(() => true))) === true
  }

  return { toggleLike, remove, togglePin, admitted }
}
