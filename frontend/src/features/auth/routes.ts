// Pages about accounts.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { accountTexts } from './texts'

export const authRoutes: RouteRecordRaw[] = [
  { path: '/login', component: withTexts(accountTexts, () => import('./LoginPage.vue')), meta: { title: 'nav.logIn', guestOnly: true } },
  { path: '/register', component: () => import('./RegisterPage.vue'), meta: { title: 'nav.register', guestOnly: true } },
]
