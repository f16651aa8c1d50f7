// The threads of a video, kept current: what others write is offered, not pushed under the reader's eyes.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import type { Comment, CommentSort } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { usePages } from '@/features/channels/usePages'
import { subscribe } from '@/features/realtime/connection'
import { getComment, listComments, writeComment } from './api'

/** What the topic of a video says of comments. */
export interface CommentNews {
  type: 'comment'
  change: 'written' | 'edited' | 'deleted' | 'pinned'
  id: string
  thread: string | null
}

export function useComments(video: () => string) {
  const session = useSession()
  const sort = ref<CommentSort>('top')
  const total = ref<number | null>(null)
  const fresh = shallowRef<string[]>([])
  const news = shallowRef<CommentNews | null>(null)
  const pages = usePages(
    async (cursor, signal) => {
      const page = await listComments(video(), { sort: sort.value, cursor }, signal)
      total.value = page.total
      if (cursor === undefined) fresh.value = []
      return page
    },
    (comment: Comment) => comment.id,
    () => [video(), sort.value, session.user?.id],
  )
  const { items } = pages
  const mine = new Set<string>()

  const counted = (by: number): void => {
    if (total.value !== null) total.value = Math.max(0, total.value + by)
  }

  async function write(body: string): Promise<void> {
    const written = await writeComment(video(), body, null)
    mine.add(written.id)
    fresh.value = fresh.value.filter((id) => id !== written.id)
    place(written)
    counted(1)
  }

  /** Above the others, below the pinned one. */
  function place(comment: Comment): void {
    const rest = items.value.filter(({ id }) => id !== comment.id)
    const [pinned, others] = [rest.filter((entry) => entry.pinned), rest.filter((entry) => !entry.pinned)]
    items.value = [...pinned, comment, ...others]
  }

  function gone(id: string): void {
    const thread = items.value.find((entry) => entry.id === id)
    fresh.value = fresh.value.filter((entry) => entry !== id)
    if (!thread) return
    pages.replace(id, null)
    counted(-1 - thread.replies)
  }

  async function hear(said: CommentNews): Promise<void> {
    if (said.thread !== null) {
      news.value = said
      return
    }
    const shown = items.value.some(({ id }) => id === said.id)
    if (said.change === 'deleted') gone(said.id)
    else if (said.change === 'pinned') void pages.reload(true)
    else if (said.change === 'edited' && shown) await getComment(said.id).then((comment) => pages.replace(said.id, comment), () => undefined)
    else if (said.change === 'written' && !shown) {
      // One's own comes with the answer to its request, which may be later than this.
      await new Promise((resolve) => setTimeout(resolve, 400))
      if (!mine.has(said.id) && !fresh.value.includes(said.id) && !items.value.some(({ id }) => id === said.id)) fresh.value = [...fresh.value, said.id]
    }
  }

  async function showFresh(): Promise<void> {
    const ids = fresh.value
    fresh.value = []
    const found = await Promise.all(ids.map((id) => getComment(id).catch(() => null)))
    for (const comment of found) {
      if (!comment) continue
      place(comment)
      counted(1)
    }
  }

  let end: (() => void) | undefined
  watch(
    [video, () => session.user?.id],
    ([id, user]) => {
      end?.()
      fresh.value = []
      end = user === undefined ? undefined : subscribe(`video:${id}`, ({ data }) => {
        const said = data as Partial<CommentNews>
        if (said.type === 'comment') void hear(said as CommentNews)
      })
    },
    { immediate: true },
  )
  onScopeDispose(() => end?.())

  return { ...pages, sort, total, fresh, news, write, gone, counted, showFresh }
}
