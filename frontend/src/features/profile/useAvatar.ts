// Sends a picture of oneself: to the store, then a job makes it small, then it is shown.
import { ref } from 'vue'
import { Problem } from '@/api/problem'
import { useSession } from '@/features/auth/session'
import * as api from './api'

export const PICTURE_TYPES = ['image/jpeg', 'image/png', 'image/webp']
const MAX_BYTES = 8 * 1024 * 1024
/** The job takes a second or two; a busy installation longer. */
const LOOK_EVERY_MS = 700
const LOOKS = 60

export type AvatarStage = 'idle' | 'sending' | 'making'

export function useAvatar(pause: (ms: number) => Promise<void> = (ms) => new Promise((resolve) => setTimeout(resolve, ms))) {
  const session = useSession()
  const stage = ref<AvatarStage>('idle')

  /** Throws a `Problem` when it is refused. */
  async function send(file: Blob): Promise<void> {
    if (!PICTURE_TYPES.includes(file.type) || file.size === 0 || file.size > MAX_BYTES) throw new Problem(422, 'picture_type', 'not a picture that fits')
    stage.value = 'sending'
    try {
      const target = await api.createAvatar(file)
      await api.putAvatar(target, file)
      stage.value = 'making'
      let avatar = await api.completeAvatar(target.avatar_id)
      for (let looks = 0; avatar.status === 'processing' && looks < LOOKS; looks += 1) {
        await pause(LOOK_EVERY_MS)
        avatar = await api.getAvatar(target.avatar_id)
      }
      if (avatar.status === 'failed') throw new Problem(422, avatar.error ?? 'picture_unreadable', 'the picture was refused')
      if (avatar.status !== 'ready') throw new Problem(503, 'picture_late', 'the picture is not ready yet')
      session.become(await api.getMe())
    } finally {
      stage.value = 'idle'
    }
  }

  async function remove(): Promise<void> {
    await api.removeAvatar()
    session.become(await api.getMe())
  }

  return { stage, send, remove }
}
