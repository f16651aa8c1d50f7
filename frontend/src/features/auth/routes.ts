// Pages about accounts.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { accountTexts } from './texts'

export const authRoutes: RouteRecordRaw[] = [
  { path: '/login', component: withTexts(accountTexts, () => import('./LoginPage.vue')), meta: { title: 'nav.logIn', guestOnly: true } },
  { path: '/register', component: withTexts(accountTexts, () => import('./RegisterPage.vue')), meta: { title: 'nav.register', guestOnly: true } },
  { path: '/forgot', component: withTexts(accountTexts, () => import('./ForgotPage.vue')), meta: { title: 'nav.forgot' } },
  { path: '/reset', component: withTexts(accountTexts, () => import('./ResetPage.vue')), meta: { title: 'nav.forgot' } },
  { path: '/verify', component: withTexts(accountTexts, () => import('./VerifyPage.vue')), meta: { title: 'nav.verify' } },
]
