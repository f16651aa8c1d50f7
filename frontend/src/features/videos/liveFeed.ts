// The live views of one's own videos, fed by the topic `user:{id}`. Lists lay them over what they fetched.
import { reactive, ref, watch } from 'vue'
import type { LiveVideo, Video } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { conflate } from '@/features/realtime/conflate'
import { connection, subscribe } from '@/features/realtime/connection'
import type { Delivery, ProgressMark, UserData } from '@/features/realtime/frames'
import { type LiveState, mergeLive } from '@/features/realtime/merge'
import { getVideo } from './api'

const states = reactive(new Map<string, LiveState>())
const deleted = reactive(new Set<string>())
/** Counts what was brought back here: lists that were fetched meanwhile lack it. */
export const restorations = ref(0)
const soon = conflate()

/** Follows the person who is logged in; called once at start. */
export function startLiveFeed(): void {
  const session = useSession()
  let end: (() => void) | undefined
  watch(
    () => session.user?.id,
    (id) => {
      end?.()
      states.clear()
      deleted.clear()
      end = id === undefined ? undefined : subscribe(`user:${id}`, (delivery) => soon(() => receive(delivery)))
    },
    { immediate: true },
  )
}

/** A video with its live view laid over it. */
export function withLive(video: Video): Video {
  const state = states.get(video.id)
  return state ? { ...video, ...state.video } : video
}

export function isDeleted(id: string): boolean {
  return deleted.has(id)
}

/** Tells the feed what a request said. While the socket is up, the feed itself is the newer of the two. */
export function noteFetched(video: Video): void {
  if (connection.up || !states.has(video.id)) return
  apply(video, undefined)
}

/** Takes a title that was edited here, without waiting for the news of it. */
export function noteEdited(video: Video): void {
  const state = states.get(video.id)
  if (state) states.set(video.id, { ...state, video: { ...state.video, title: video.title } })
}

export function noteDeleted(id: string): void {
  states.delete(id)
  deleted.add(id)
}

/** Takes one that was deleted here back from the trash. */
export function noteRestored(id: string): void {
  deleted.delete(id)
  restorations.value += 1
}

function receive({ kind, data, progress }: Delivery): void {
  const news = data as UserData
  if (kind === 'snapshot' && news.type === 'user') {
    const seen = new Set<string>()
    for (const entry of news.videos) {
      const { video, generation } = 'video' in entry ? entry : { video: entry, generation: undefined }
      seen.add(video.id)
      apply(video, generation)
    }
    // What was processing and is not any more has ended while we were away.
    for (const [id, state] of states) {
      if (state.video.status === 'processing' && !seen.has(id)) void catchUp(id)
    }
  } else if (news.type === 'video') {
    deleted.delete(news.video.id) // Restored, here or elsewhere.
    apply(news.video, news.generation, progress)
  } else if (news.type === 'video_deleted') {
    noteDeleted(news.id)
  }
}

function apply(video: LiveVideo, generation: number | undefined, mark?: ProgressMark): void {
  const before = states.get(video.id) ?? null
  const after = mergeLive(before, live(video), generation ?? before?.generation ?? 0, mark)
  if (after !== before) states.set(video.id, after)
}

async function catchUp(id: string): Promise<void> {
  try {
    apply(await getVideo(id), undefined)
  } catch {
    states.delete(id) // Gone, or not to be had now: the list shows what it fetched itself.
  }
}

/** Only the fields of a live view, so that a whole video laid over another one does not bring its older rest. */
export function live(video: LiveVideo): LiveVideo {
  const { id, title, status, progress, stage, error, playable } = video
  const { hls_url, hls_credentials, mp4_url, poster_url, duration, width, height, qualities } = video
  return { id, title, status, progress, stage, error, playable, hls_url, hls_credentials, mp4_url, poster_url, duration, width, height, qualities }
}
