// What an owner does to a video, with questions before and messages after; shared by the list and the page.
import { useI18n } from 'vue-i18n'
import { Problem } from '@/api/problem'
import type { Video } from '@/api/types'
import { ask } from '@/features/shell/ask'
import { notify } from '@/features/shell/notify'
import { useProblemText } from '@/features/shell/useProblemText'
import * as api from './api'
import { noteDeleted, noteRestored } from './liveFeed'

export type VideoCommand = 'edit' | 'link' | 'retry' | 'cancel' | 'delete'

export function useVideoActions() {
  const { t, te } = useI18n()
  const problemText = useProblemText()

  async function attempt<T>(work: () => Promise<T>, done: string): Promise<T | null> {
    try {
      const result = await work()
      void notify('success', done)
      return result
    } catch (error) {
      void notify('error', problemText(Problem.from(error)))
      return null
    }
  }

  /** True when the video is gone. The message about it brings it back. */
  async function remove(video: Video): Promise<boolean> {
    const { title } = video
    const question = { title: t('videos.deleteTitle'), text: t('videos.deleteText', { title }), yes: t('videos.delete'), no: t('app.cancel'), harm: true }
    if (!(await ask(question))) return false
    try {
      await api.deleteVideo(video.id)
    } catch (error) {
      void notify('error', problemText(Problem.from(error)))
      return false
    }
    noteDeleted(video.id)
    void notify('success', t('videos.trashed', { title }), { label: t('videos.undo'), run: () => void restore(video) })
    return true
  }

  async function restore({ id, title }: Video): Promise<void> {
    if (await attempt(() => api.restoreVideo(id), t('videos.restored', { title }))) noteRestored(id)
  }

  /** The video as it is after the call, or null when it was not made or refused. */
  async function cancel(video: Video): Promise<Video | null> {
    const { title } = video
    const question = { title: t('videos.cancelTitle'), text: t('videos.cancelText', { title }), yes: t('videos.cancelProcessing'), no: t('videos.keepGoing'), harm: true }
    if (!(await ask(question))) return null
    return attempt(() => api.cancelVideo(video.id), t('videos.cancelledDone'))
  }

  function retry(video: Video): Promise<Video | null> {
    return attempt(() => api.retryVideo(video.id), t('videos.retried'))
  }

  function copyLink(video: Video): Promise<void | null> {
    return attempt(() => navigator.clipboard.writeText(`${location.origin}/videos/${video.id}`), t('videos.linkCopied'))
  }

  /** The sentence for why a video failed. */
  function failureText(video: Pick<Video, 'error'>): string {
    if (!video.error) return ''
    const key = `videoErrors.${video.error.code}`
    return te(key) ? t(key) : video.error.message
  }

  return { remove, cancel, retry, copyLink, failureText }
}
