// Logging out from anywhere: end the session, go home. Uploads stop with the session and stay remembered.
import { useI18n } from 'vue-i18n'
import { useRouter } from 'vue-router'
import { useSession } from '@/features/auth/session'
import { notify } from './notify'

export function useLogOut() {
  const { t } = useI18n()
  const router = useRouter()
  const session = useSession()
  return async (): Promise<void> => {
    await session.logOut().catch(() => undefined) // The memory is cleared either way.
    await router.push('/')
    await notify('info', t('nav.loggedOut'))
  }
}
