// Streams HLS into a video element: hls.js where it works, else the browser's own player. hls.js is loaded when needed.
// A file, which is what there is of a small video before it streams, is the browser's own business.
import type Hls from 'hls.js'
import type { ErrorData, HlsConfig } from 'hls.js'
import { onScopeDispose, ref, shallowRef } from 'vue'

export interface PlayerQuality {
  index: number
  name: string
  height: number
}

const MOST_RECOVERIES = 4
/** The choice "let the player decide". */
export const AUTO = -1

const CONFIG: Partial<HlsConfig> = {
  // While a video is processed, its playlist has no end yet, which looks like a live one: begin at the beginning.
  startPosition: 0,
  backBufferLength: 90,
  maxBufferLength: 40,
  capLevelToPlayerSize: true,
  abrEwmaDefaultEstimate: 4_000_000,
  // Captions are tracks of the element. What hls.js has for those inside of streams empties every track it meets.
  timelineController: undefined,
  subtitleTrackController: undefined,
  subtitleStreamController: undefined,
}

/** Only to the CDN: our own addresses get them anyway, and may redirect to a store that refuses them. */
function sendCookies(xhr: XMLHttpRequest, url: string): void {
  xhr.withCredentials = new URL(url, location.href).origin !== location.origin
}

export function useHls(element: () => HTMLVideoElement | undefined) {
  const qualities = shallowRef<PlayerQuality[]>([])
  /** What the person chose: an index, or AUTO. */
  const chosen = ref(AUTO)
  /** What is playing. */
  const current = ref(AUTO)
  /** True while the playlist still grows. */
  const growing = ref(false)
  const failure = ref<'unsupported' | 'failed' | null>(null)
  let hls: Hls | null = null
  let recoveries = 0
  let loads = 0

  /** `credentials`: segments lie at a CDN that asks for the cookies which playlists bring. */
  async function load(src: string, startAt = 0, credentials = false): Promise<void> {
    const turn = (loads += 1)
    release()
    failure.value = null
    recoveries = 0
    // No word yet about how long the list grows: an address that is still an event playlist grows.
    const { default: Player } = await import('hls.js')
    const media = element()
    if (turn !== loads || !media) return
    if (!Player.isSupported()) return native(media, src, startAt)
    const player = (hls = new Player({ ...CONFIG, startPosition: startAt, ...(credentials && { xhrSetup: sendCookies }) }))
    player.on(Player.Events.MANIFEST_PARSED, (_, { levels }) => {
      qualities.value = levels
        .map((level, index) => ({ index, height: Math.min(level.width || level.height, level.height), name: nameOf(level) }))
        .sort((a, b) => b.height - a.height)
    })
    player.on(Player.Events.LEVEL_SWITCHED, (_, { level }) => {
      current.value = level
    })
    player.on(Player.Events.LEVEL_UPDATED, (_, { details }) => {
      growing.value = details.live
    })
    player.on(Player.Events.FRAG_BUFFERED, () => {
      recoveries = 0
    })
    player.on(Player.Events.ERROR, (_, data) => {
      // The cookies are over, after a long pause: the playlist brings new ones. Recovery asks again.
      if (credentials && data.response?.code === 403) void fetch(src).catch(() => undefined)
      recover(Player, data)
    })
    player.loadSource(src)
    player.attachMedia(media)
  }

  /** Plays a file instead: one quality, and all of it from the start. */
  function loadFile(src: string, startAt = 0): void {
    loads += 1
    release()
    failure.value = null
    const media = element()
    if (media) play(media, src, startAt)
  }

  function native(media: HTMLVideoElement, src: string, startAt: number): void {
    if (!media.canPlayType('application/vnd.apple.mpegurl')) {
      failure.value = 'unsupported'
      return
    }
    play(media, src, startAt)
  }

  function play(media: HTMLVideoElement, src: string, startAt: number): void {
    const turn = loads
    media.src = src
    if (startAt > 0) media.addEventListener('loadedmetadata', () => (media.currentTime = startAt), { once: true })
    media.addEventListener('error', () => turn === loads && (failure.value = 'failed'), { once: true })
  }

  function recover(Player: typeof Hls, data: ErrorData): void {
    if (!data.fatal || !hls) return
    recoveries += 1
    const player = hls
    if (recoveries > MOST_RECOVERIES) {
      failure.value = 'failed'
      release()
    } else if (data.type === Player.ErrorTypes.MEDIA_ERROR) {
      player.recoverMediaError()
    } else if (data.details === Player.ErrorDetails.MANIFEST_LOAD_ERROR || data.details === Player.ErrorDetails.MANIFEST_PARSING_ERROR) {
      failure.value = 'failed'
      release()
    } else {
      setTimeout(() => player === hls && player.startLoad(), 700 * 2 ** recoveries)
    }
  }

  /** Chooses a quality by its index, or AUTO. */
  function choose(index: number): void {
    chosen.value = index
    if (hls) hls.nextLevel = index
  }

  function release(): void {
    hls?.destroy()
    hls = null
    qualities.value = []
    chosen.value = current.value = AUTO
    growing.value = false
  }

  onScopeDispose(() => {
    loads += 1
    release()
  })
  return { qualities, chosen, current, growing, failure, load, loadFile, choose }
}

function nameOf(level: { width: number; height: number; name?: string; bitrate: number }): string {
  const side = Math.min(level.width || level.height, level.height)
  return side > 0 ? `${side}p` : (level.name ?? `${Math.round(level.bitrate / 1000)} kbit/s`)
}
