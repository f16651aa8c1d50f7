// One video, kept current: fetched once, then followed live; polled while the socket is down or for visitors without
// an account, who get no socket.
import { onScopeDispose, ref, shallowRef, watch } from 'vue'
import { Problem } from '@/api/problem'
import type { Video } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { conflate } from '@/features/realtime/conflate'
import { connection, subscribe } from '@/features/realtime/connection'
import type { Delivery, VideoData } from '@/features/realtime/frames'
import { type LiveState, mergeLive } from '@/features/realtime/merge'
import * as api from './api'
import { isDeleted, live } from './liveFeed'

const POLL_MS = 3000

export function useVideo(id: () => string | null) {
  const session = useSession()
  const video = shallowRef<Video | null>(null)
  const error = shallowRef<Problem | null>(null)
  const loading = ref(false)
  const soon = conflate()
  let state: LiveState | null = null
  // Counts live frames: an answer that was under way while one came may be older than it.
  let heard = 0
  let abort: AbortController | undefined
  let endTopic: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  async function load(): Promise<void> {
    const wanted = id()
    if (wanted === null) return
    abort?.abort()
    const request = (abort = new AbortController())
    const before = heard
    loading.value = video.value === null
    try {
      const answer = await api.getVideo(wanted, request.signal)
      if (request !== abort) return
      accept(answer, heard === before)
      error.value = null
    } catch (cause) {
      if (request !== abort) return
      const problem = Problem.from(cause)
      // A poll that fails does not take away what is on the page, unless the video is gone.
      if (video.value === null || problem.status === 404) error.value = problem
    } finally {
      if (request === abort) loading.value = false
    }
  }

  /** Takes a whole video; its live part only when nothing newer was heard. */
  function accept(answer: Video, fresh: boolean): void {
    if (fresh || state === null) {
      const seed = live(answer)
      state = state ? mergeLive(state, seed, state.generation) : { video: seed, generation: 0, marks: {} }
    }
    video.value = { ...answer, ...state.video, title: answer.title }
  }

  function receive(delivery: Delivery): void {
    const data = delivery.data as Partial<VideoData> & Pick<VideoData, 'generation'>
    heard += 1
    if (!data.video) return // Deleted: the feed says so.
    const after = mergeLive(state, data.video, data.generation, delivery.progress)
    if (after === state) return
    state = after
    if (video.value) video.value = { ...video.value, ...after.video }
  }

  function poll(): void {
    clearTimeout(timer)
    const processing = video.value?.status === 'processing'
    const blind = session.known && (!session.loggedIn || connection.stale)
    if (!processing || !blind) return
    timer = setTimeout(() => void load().then(poll), POLL_MS)
  }

  function stop(): void {
    abort?.abort()
    endTopic?.()
    endTopic = undefined
    clearTimeout(timer)
  }

  watch(
    [id, () => session.user?.id],
    ([wanted], [before]) => {
      stop()
      if (wanted !== before) {
        video.value = null
        error.value = null
        state = null
      }
      if (wanted === null) return
      void load()
      if (session.loggedIn) endTopic = subscribe(`video:${wanted}`, (delivery) => soon(() => id() === wanted && receive(delivery)))
    },
    { immediate: true },
  )
  watch([() => video.value?.status, () => connection.stale, () => session.known], poll)
  watch(
    () => id() !== null && isDeleted(id() as string),
    (gone) => {
      if (gone) error.value = new Problem(404, 'not_found', 'deleted')
    },
  )
  onScopeDispose(stop)

  return { video, error, loading, reload: load, accept: (answer: Video) => accept(answer, true) }
}
