// Merging live views: whatever the order in which frames arrive, the percent shown never goes backwards within one
// generation (one transcode), and a progress frame never undoes an end.
import type { LiveVideo } from '@/api/types'
import type { ProgressMark } from './frames'

export interface LiveState {
  video: LiveVideo
  generation: number
  /** The highest progress mark seen of each job. */
  marks: Readonly<Record<string, { run_no: number; n: number }>>
}

const STAGES = ['queued', 'probing', 'encoding', 'packaging', 'publishing', 'done']

/** Applies one live view. Returns `before` itself when the frame is old news. */
export function mergeLive(before: LiveState | null, video: LiveVideo, generation: number, mark?: ProgressMark): LiveState {
  if (before === null || generation > before.generation) {
    return { video, generation, marks: mark ? { [mark.job]: { run_no: mark.run_no, n: mark.n } } : {} }
  }
  if (generation < before.generation) return before
  if (!mark) {
    // A durable change is the truth about status and stage. The percent keeps its floor, unless work that had ended
    // begins again (a retry), where the old percent was not on show.
    const begun = video.status === 'processing' && before.video.status !== 'processing'
    const progress = begun ? video.progress : Math.max(video.progress, before.video.progress)
    return { ...before, video: { ...video, progress } }
  }
  const last = before.marks[mark.job]
  if (last && (mark.run_no < last.run_no || (mark.run_no === last.run_no && mark.n <= last.n))) return before
  const marks = { ...before.marks, [mark.job]: { run_no: mark.run_no, n: mark.n } }
  if (before.video.status !== 'processing') return { ...before, marks }
  const stage = later(before.video.stage, video.stage) ? video.stage : before.video.stage
  // A progress frame may have been made before a durable event that arrived first: what that one gave stays.
  const playable = before.video.playable || video.playable
  const progress = Math.max(video.progress, before.video.progress)
  return {
    generation,
    marks,
    video: {
      ...before.video,
      ...video,
      status: 'processing',
      error: null,
      stage,
      progress,
      playable,
      hls_url: video.hls_url ?? before.video.hls_url,
      mp4_url: video.mp4_url ?? before.video.mp4_url,
      poster_url: video.poster_url ?? before.video.poster_url,
      duration: video.duration ?? before.video.duration,
      width: video.width ?? before.video.width,
      height: video.height ?? before.video.height,
      qualities: video.qualities.length >= before.video.qualities.length ? video.qualities : before.video.qualities,
    },
  }
}

function later(before: string, after: string): boolean {
  return STAGES.indexOf(after) >= STAGES.indexOf(before)
}
