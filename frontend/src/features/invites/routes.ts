// Invitations: for administrators.
import type { RouteRecordRaw } from 'vue-router'
import { accountTexts } from '@/features/auth/texts'
import { withTexts } from '@/i18n/withTexts'

export const inviteRoutes: RouteRecordRaw[] = [
  {
    path: '/admin/invites',
    component: withTexts(accountTexts, () => import('./InvitesPage.vue')),
    meta: { title: 'nav.invites', needsLogin: true, role: 'admin' },
  },
]
