// Which captions are shown: what the person chose last, here or elsewhere; else the video's default.
import { computed, nextTick, ref, watch } from 'vue'
import type { Extras } from '@/api/types'

type Track = Extras['captions'][number]
const KEY = 'millrace.captions'
const OFF = 'off'
/** Lines from the bottom, above the controls. */
const ABOVE_CONTROLS = -4

/** What a menu calls a track: its owner's word, or the language's name in the language of the page. */
export function nameOf(track: Pick<Track, 'language' | 'label'>, locale: string): string {
  if (track.label) return track.label
  try {
    return new Intl.DisplayNames([locale], { type: 'language' }).of(track.language) ?? track.language
  } catch {
    return track.language
  }
}

/** The language to begin with. The same language of another region is better than none. */
export function firstChoice(tracks: readonly Track[], remembered: string | null): string | null {
  if (remembered === OFF) return null
  const family = (tag: string) => tag.split('-')[0]
  const wish = tracks.find(({ language }) => language === remembered) ?? tracks.find(({ language }) => remembered !== null && family(language) === family(remembered))
  return (wish ?? tracks.find((track) => track.is_default))?.language ?? null
}

export function useCaptions(element: () => HTMLVideoElement | undefined, tracks: () => readonly Track[], raised: () => boolean) {
  const language = ref<string | null>(null)
  let last: string | null = null
  const chosen = computed(() => tracks().findIndex((track) => track.language === language.value))

  watch(
    tracks,
    (now) => {
      if (now.some((track) => track.language === language.value)) return
      language.value = firstChoice(now, localStorage.getItem(KEY))
    },
    { immediate: true },
  )
  watch([language, tracks, element], () => void nextTick(show), { immediate: true })
  watch(raised, place)

  function show(): void {
    for (const track of element()?.textTracks ?? []) {
      track.mode = track.language === language.value ? 'showing' : 'disabled'
    }
    place()
  }

  /** Captions without a place of their own make room for the controls. */
  function place(): void {
    for (const track of element()?.textTracks ?? []) {
      if (track.mode !== 'showing') continue
      for (const cue of track.cues ?? []) {
        const own = cue as VTTCue
        if (own.line === 'auto' || own.line === ABOVE_CONTROLS) own.line = raised() ? ABOVE_CONTROLS : 'auto'
      }
    }
  }

  /** By the place in the list; -1 for none. */
  function choose(index: number): void {
    language.value = tracks()[index]?.language ?? null
    localStorage.setItem(KEY, language.value ?? OFF)
  }

  function toggle(): void {
    const all = tracks()
    if (all.length === 0) return
    if (language.value !== null) {
      last = language.value
      return choose(-1)
    }
    const back = all.findIndex((track) => track.language === last)
    const usual = all.findIndex((track) => track.is_default)
    choose(back >= 0 ? back : Math.max(0, usual))
  }

  return { chosen, choose, toggle, place }
}
