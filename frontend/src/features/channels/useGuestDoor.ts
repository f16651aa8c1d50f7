// What needs an account leads visitors to the log-in, and back.
import { useRoute, useRouter } from 'vue-router'
import { useSession } from '@/features/auth/session'

export function useGuestDoor() {
  const session = useSession()
  const route = useRoute()
  const router = useRouter()

  /** True when somebody is logged in; otherwise the page changes to the log-in. */
  return (): boolean => {
    if (session.loggedIn) return true
    void router.push({ path: '/login', query: { redirect: route.fullPath } })
    return false
  }
}
