// How much of one's space is taken: one figure for all who show it.
import { computed, ref, shallowRef } from 'vue'
import { Problem } from '@/api/problem'
import type { Storage } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { getStorage } from './api'

const storage = shallowRef<Storage | null>(null)
const error = shallowRef<Problem | null>(null)
const loading = ref(false)
let asked = 0
let owner: string | null = null

/** Bytes that can still be uploaded; null when there is no limit or nobody knows yet. */
const free = computed(() => {
  const { quota = null, used = 0, reserved = 0 } = storage.value ?? {}
  return quota === null ? null : Math.max(0, quota - used - reserved)
})

async function load(): Promise<void> {
  const user = useSession().user?.id ?? null
  if (user !== owner) storage.value = error.value = null // Another person has another space.
  owner = user
  const turn = (asked += 1)
  loading.value = true
  try {
    const answer = await getStorage()
    if (turn !== asked) return // A later question is under way.
    storage.value = answer
    error.value = null
  } catch (cause) {
    if (turn === asked) error.value = Problem.from(cause)
  } finally {
    if (turn === asked) loading.value = false
  }
}

/** Asks anew each time somebody begins to show it; what was known is shown meanwhile. */
export function useStorage() {
  void load()
  return { storage, free, error, loading, load }
}
