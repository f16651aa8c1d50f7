// The page about oneself.
import type { RouteRecordRaw } from 'vue-router'
import { accountTexts } from '@/features/auth/texts'
import { withTexts } from '@/i18n/withTexts'

export const profileRoutes: RouteRecordRaw[] = [
  {
    path: '/profile/:section(profile|security|devices|data)?',
    component: withTexts(accountTexts, () => import('./ProfilePage.vue')),
    props: true,
    meta: { title: 'nav.profile', needsLogin: true },
  },
]
