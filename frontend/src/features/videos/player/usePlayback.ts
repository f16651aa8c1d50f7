// The state of a video element as refs, and the things one does to it.
import { onScopeDispose, reactive, watch } from 'vue'

export const SPEEDS: readonly number[] = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2]

export function usePlayback(element: () => HTMLVideoElement | undefined) {
  const state = reactive({
    paused: true,
    ended: false,
    waiting: false,
    started: false,
    time: 0,
    duration: 0,
    buffered: [] as { start: number; end: number }[],
    volume: 1,
    muted: false,
    speed: 1,
    pip: false,
    /** There is sound and no picture: nothing would be seen but a black box. */
    pictureless: false,
  })
  const EVENTS = ['play', 'pause', 'playing', 'waiting', 'ended', 'timeupdate', 'seeking', 'seeked', 'durationchange', 'progress']
  const MORE = ['volumechange', 'ratechange', 'enterpictureinpicture', 'leavepictureinpicture', 'emptied', 'loadedmetadata', 'resize']

  /** Somebody pressed play and nobody pressed pause since. */
  let wanted = false

  /** A press of play that came while the source was being put in is forgotten by the element; it is not by us. */
  function keepPromise(event?: Event): void {
    if (event?.type === 'pause' || event?.type === 'ended') wanted = false
    if (event?.type === 'loadedmetadata' && wanted && element()?.paused) void play()
  }

  function read(event?: Event): void {
    const media = element()
    if (!media) return
    state.paused = media.paused
    state.ended = media.ended
    state.time = media.currentTime
    state.duration = Number.isFinite(media.duration) ? media.duration : 0
    state.buffered = Array.from({ length: media.buffered.length }, (_, index) => ({
      start: media.buffered.start(index),
      end: media.buffered.end(index),
    }))
    state.volume = media.volume
    state.muted = media.muted
    state.speed = media.playbackRate
    state.pictureless = media.readyState > 0 && media.videoWidth === 0
    state.pip = document.pictureInPictureElement === media
    if (event?.type === 'waiting') state.waiting = true
    if (event?.type === 'playing' || event?.type === 'pause' || event?.type === 'seeked') state.waiting = false
    if (event?.type === 'playing') state.started = true
    keepPromise(event)
  }

  let watched: HTMLVideoElement | undefined
  function listen(next: HTMLVideoElement | undefined): void {
    for (const name of [...EVENTS, ...MORE]) watched?.removeEventListener(name, read)
    watched = next
    for (const name of [...EVENTS, ...MORE]) watched?.addEventListener(name, read)
    read()
  }
  watch(element, listen, { immediate: true, flush: 'post' })
  onScopeDispose(() => listen(undefined))

  async function play(): Promise<void> {
    wanted = true
    await element()
      ?.play()
      .catch((cause: unknown) => {
        // Overtaken by a pause or a new source: the state says so anyway.
        if (cause instanceof DOMException && cause.name === 'NotAllowedError') wanted = false
      })
  }

  function toggle(): void {
    const media = element()
    if (media?.paused) return void play()
    wanted = false
    media?.pause()
  }

  function seek(time: number): void {
    const media = element()
    if (!media) return
    media.currentTime = Math.min(Math.max(0, time), Math.max(0, state.duration - 0.1))
    state.time = media.currentTime
  }

  function setVolume(volume: number): void {
    const media = element()
    if (!media) return
    media.volume = Math.min(1, Math.max(0, volume))
    media.muted = media.volume === 0
  }

  function toggleMute(): void {
    const media = element()
    if (!media) return
    media.muted = !media.muted
    if (!media.muted && media.volume === 0) media.volume = 0.5
  }

  function setSpeed(speed: number): void {
    const media = element()
    if (!media) return
    media.playbackRate = speed
    media.defaultPlaybackRate = speed // A switch of source keeps it.
  }

  /** The next speed up (1) or down (-1). */
  function stepSpeed(direction: 1 | -1): void {
    const index = SPEEDS.indexOf(state.speed)
    const next = SPEEDS[(index < 0 ? SPEEDS.indexOf(1) : index) + direction]
    if (next !== undefined) setSpeed(next)
  }

  async function togglePip(): Promise<void> {
    const media = element()
    if (!media) return
    const change = state.pip ? document.exitPictureInPicture() : media.requestPictureInPicture()
    await change.catch(() => undefined) // The browser may refuse; nothing is lost.
  }

  return { state, play, toggle, seek, setVolume, toggleMute, setSpeed, stepSpeed, togglePip }
}
