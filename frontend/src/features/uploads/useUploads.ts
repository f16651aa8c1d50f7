// The upload queue of this tab, tied to the session, the live news, the browser's memory and the closing of the tab.
import { computed, watch } from 'vue'
import type { Video } from '@/api/types'
import { useSession } from '@/features/auth/session'
import type { UserData } from '@/features/realtime/frames'
import { subscribe } from '@/features/realtime/connection'
import { getVideo, updateVideo } from '@/features/videos/api'
import { isDeleted } from '@/features/videos/liveFeed'
import * as api from './api'
import { isActive, totalPercent, type UploadItem } from './item'
import { browserMemory } from './memory'
import { browserOwnership } from './ownership'
import { pause } from './patience'
import { UploadQueue } from './queue'
import { recall } from './unfinished'

/** Finished rows outlive a reload of the tab under this name. */
const FINISHED = 'millrace.uploaded'
const MOST_FINISHED = 30

const queue = new UploadQueue({
  put: api.putBytes,
  sign: api.signParts,
  start: api.startUpload,
  look: api.getUpload,
  list: api.listUploads,
  complete: api.completeUpload,
  abort: api.abortUpload,
  video: (id) => getVideo(id),
  update: updateVideo,
  pause,
  memory: browserMemory(),
  ownership: browserOwnership(),
})

const items = computed(() => queue.items.filter(({ video }) => video === null || !isDeleted(video.id)))
const active = computed(() => items.value.filter(isActive))
const percent = computed(() => totalPercent(queue.items))

type FinishedRow = Pick<UploadItem, 'name' | 'size' | 'details' | 'published'> & { video: string }

function keepFinished(): void {
  const row = ({ name, size, details, published, video }: UploadItem): FinishedRow => ({ name, size, details, published, video: video?.id ?? '' })
  const rows = items.value.filter(({ phase }) => phase === 'done').map(row)
  try {
    sessionStorage.setItem(FINISHED, JSON.stringify({ user: queue.user, rows: rows.slice(-MOST_FINISHED) }))
  } catch {
    // Storage is blocked: the rows last as long as the page.
  }
}

async function restoreFinished(user: string): Promise<void> {
  try {
    const kept = JSON.parse(sessionStorage.getItem(FINISHED) ?? '{}') as { user?: string; rows?: FinishedRow[] }
    if (kept.user !== user) return
    const found = await Promise.all((kept.rows ?? []).map((row) => getVideo(row.video).then((video: Video) => ({ row, video }), () => null)))
    if (queue.user !== user) return
    for (const one of found) if (one) queue.restore(one.row, one.video)
  } catch {
    // Nothing that we wrote.
  }
}

/** What was typed is remembered when the typing pauses, and when the page goes. */
const NOTE_AFTER_MS = 300
let noting: ReturnType<typeof setTimeout> | undefined

function note(): void {
  for (const item of queue.items) queue.note(item)
  if (queue.user !== null) keepFinished()
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault()
}

let started = false

/** Follows the session; called by whoever shows uploads first. */
function start(): void {
  if (started) return
  started = true
  const session = useSession()
  let end: (() => void) | undefined
  watch(
    () => session.user?.id,
    (user) => {
      end?.()
      queue.enter(user ?? null)
      if (user === undefined) return
      void restoreFinished(user).then(() => recall(queue, user))
      end = subscribe(`user:${user}`, ({ data }) => {
        const news = data as UserData
        if (news.type === 'upload') void queue.hear(news.upload.id, news.upload.status, news.upload.video_id)
      })
    },
    { immediate: true },
  )
  watch(
    () => active.value.length > 0,
    (busy) => {
      if (busy) window.addEventListener('beforeunload', warn)
      else window.removeEventListener('beforeunload', warn)
    },
  )
  watch(
    () => queue.items.map(({ details, published, video, phase }) => JSON.stringify([details, published, video?.id, phase])).join(),
    () => {
      clearTimeout(noting)
      noting = setTimeout(note, NOTE_AFTER_MS)
    },
  )
  window.addEventListener('pagehide', note)
}

export function useUploads() {
  start()
  return { queue, items, active, percent }
}
