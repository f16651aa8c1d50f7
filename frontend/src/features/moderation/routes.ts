// Moderation: for staff, for whoever was judged, and for those who are locked out.
import type { RouteRecordRaw } from 'vue-router'
import { accountTexts } from '@/features/auth/texts'
import { withTexts } from '@/i18n/withTexts'
import { moderationTexts } from './texts'

const staff = { title: 'nav.moderation', needsLogin: true, role: 'auditor' } as const

export const moderationRoutes: RouteRecordRaw[] = [
  { path: '/admin/reports', component: withTexts(moderationTexts, () => import('./ReportsPage.vue')), meta: staff },
  { path: '/admin/reports/:id', component: withTexts(moderationTexts, () => import('./ReportPage.vue')), props: true, meta: staff },
  { path: '/admin/appeals', component: withTexts(moderationTexts, () => import('./AppealsPage.vue')), meta: staff },
  { path: '/admin/words', component: withTexts(moderationTexts, () => import('./WordsPage.vue')), meta: staff },
  { path: '/admin/audit', component: withTexts(moderationTexts, () => import('./AuditPage.vue')), meta: staff },
  { path: '/decisions', component: withTexts(moderationTexts, () => import('./DecisionsPage.vue')), meta: { title: 'nav.decisions', needsLogin: true } },
  { path: '/suspended', component: withTexts([...moderationTexts, accountTexts], () => import('./SuspendedPage.vue')), meta: { title: 'nav.suspended' } },
]
