// All routes, in the order of the navigation, and the guards: who may go where.
import { createRouter, createWebHistory, type RouteRecordRaw } from 'vue-router'
import { adminRoutes } from '@/features/admin/routes'
import { atLeast, type Role } from '@/features/auth/roles'
import { useSession } from '@/features/auth/session'
import { i18n } from '@/i18n'
import { authRoutes } from '@/features/auth/routes'
import { channelRoutes } from '@/features/channels/routes'
import { keepRoutes } from '@/features/playlists/routes'
import { discoveryRoutes } from '@/features/discovery/routes'
import { homeRoutes } from '@/features/home/routes'
import { inviteRoutes } from '@/features/invites/routes'
import { profileRoutes } from '@/features/profile/routes'
import { dashboardRoutes } from '@/features/dashboard/routes'
import { moderationRoutes } from '@/features/moderation/routes'
import { notificationRoutes } from '@/features/notifications/routes'
import { paymentRoutes } from '@/features/payments/routes'
import { videoRoutes } from '@/features/videos/routes'
import { studioRoutes } from '@/features/studio/routes'
import { uploadRoutes } from '@/features/uploads/routes'

declare module 'vue-router' {
  interface RouteMeta {
    /** The key of the page's title. */
    title?: string
    /** Only for people who are logged in: others are sent to log in and come back. */
    needsLogin?: boolean
    /** Only for people who are not: others go on to the dashboard. */
    guestOnly?: boolean
    /** Without the bar: a page for frames on other sites. */
    bare?: boolean
    /** Only for people with this role or one above it: others are told that there is nothing. */
    role?: Role
  }
}

const routes: RouteRecordRaw[] = [
  ...homeRoutes,
  ...discoveryRoutes,
  ...authRoutes,
  ...dashboardRoutes,
  ...profileRoutes,
  ...uploadRoutes, // Before /videos/:id, which would take "upload" for an id.
  ...videoRoutes,
  ...channelRoutes,
  ...studioRoutes,
  ...inviteRoutes,
  ...moderationRoutes,
  ...notificationRoutes,
  ...keepRoutes,
  ...paymentRoutes,
  ...adminRoutes,
  {
    path: '/:rest(.*)*',
    name: 'nowhere',
    component: () => import('@/features/shell/NotFoundPage.vue'),
    meta: { title: 'errorPage.notFound' },
  },
]

export const router = createRouter({
  history: createWebHistory(),
  routes,
  scrollBehavior: (to, from, saved) => saved ?? (to.path === from.path ? false : { top: 0 }),
})

router.beforeEach(async (to) => {
  if (!to.meta.needsLogin && !to.meta.guestOnly) return true
  const session = useSession()
  await session.start()
  if (to.meta.needsLogin && !session.loggedIn) return { path: '/login', query: { redirect: to.fullPath } }
  if (to.meta.role && !atLeast(session.user, to.meta.role)) {
    return { name: 'nowhere', params: { rest: to.path.slice(1).split('/') }, query: to.query, hash: to.hash, replace: true }
  }
  if (to.meta.guestOnly && session.loggedIn) return redirectTarget(to.query.redirect)
  return true
})

/** Where to go after logging in: back to where the person wanted to, if that is a page of ours. */
export function redirectTarget(wish: unknown): string {
  return typeof wish === 'string' && /^\/(?![/\\])/.test(wish) ? wish : '/dashboard'
}

/** Sets the title of the tab; pages with a title of their own (a video) set it themselves. */
export function setTitle(text: string | null): void {
  document.title = text ? `${text} · Millrace` : 'Millrace'
}

router.afterEach((to) => setTitle(to.meta.title ? i18n.global.t(to.meta.title) : null))

// After a deployment, the old chunks are gone: load the page anew, once.
window.addEventListener('vite:preloadError', (event) => {
  const last = Number(sessionStorage.getItem('millrace.reloaded') ?? 0)
  if (Date.now() - last < 10_000) return
  event.preventDefault()
  sessionStorage.setItem('millrace.reloaded', String(Date.now()))
  location.reload()
})
