// Captions, chapters and the pictures of the seek bar. A video plays without them, so what goes wrong here is passed over.
import { onScopeDispose, shallowRef, watch } from 'vue'
import { send } from '@/api/client'
import type { Extras } from '@/api/types'
import { readStoryboard, type Shot } from './storyboard'

/** How often somebody who moves over the seek bar makes us ask for pictures that are still being made. */
const ASK_AGAIN_MS = 10_000

export function useExtras(id: () => string, address: () => string | null) {
  const captions = shallowRef<Extras['captions']>([])
  const chapters = shallowRef<Extras['chapters']>([])
  const shots = shallowRef<Shot[]>([])
  let abort: AbortController | undefined
  let asked = 0

  async function load(): Promise<void> {
    abort?.abort()
    const request = (abort = new AbortController())
    asked = Date.now()
    try {
      const extras = await send<Extras>({ url: `/videos/${encodeURIComponent(id())}/extras`, signal: request.signal })
      if (request !== abort) return
      captions.value = extras.captions
      chapters.value = extras.chapters
      if (extras.storyboard_url === null) return
      const list = new URL(extras.storyboard_url, location.href).href
      const answer = await fetch(list, { signal: request.signal })
      if (answer.ok && request === abort) shots.value = readStoryboard(await answer.text(), list)
    } catch {
      // See above.
    }
  }

  /** Somebody would like to see pictures. */
  function wish(): void {
    if (shots.value.length === 0 && Date.now() - asked > ASK_AGAIN_MS) void load()
  }

  watch(
    [id, address],
    ([now], [before]) => {
      if (now !== before) shots.value = captions.value = chapters.value = []
      void load()
    },
    { immediate: true },
  )
  onScopeDispose(() => abort?.abort())
  return { captions, chapters, shots, wish, load }
}
