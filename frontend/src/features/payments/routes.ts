// Payments: what one buys and sells, and what staff see of it.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { studioTexts } from '@/features/studio/texts'
import { paymentTexts } from './texts'

const staff = { title: 'nav.payments', needsLogin: true, role: 'auditor' } as const
const own = { title: 'nav.payments', needsLogin: true } as const

export const paymentRoutes: RouteRecordRaw[] = [
  { path: '/payments', component: withTexts(paymentTexts, () => import('./PaymentsPage.vue')), meta: own },
  { path: '/payments/create', component: withTexts(paymentTexts, () => import('./CreatePaymentPage.vue')), meta: own },
  { path: '/payments/:id', component: withTexts(paymentTexts, () => import('./OrderPage.vue')), props: true, meta: own },
  { path: '/studio/earnings', component: withTexts([paymentTexts, studioTexts], () => import('./EarningsPage.vue')), meta: { title: 'nav.earnings', needsLogin: true } },
  { path: '/admin/payments', component: withTexts(paymentTexts, () => import('./admin/AdminPaymentsPage.vue')), meta: staff },
  { path: '/admin/payments/checks', component: withTexts(paymentTexts, () => import('./admin/ChecksPage.vue')), meta: staff },
  { path: '/admin/payments/:id', component: withTexts(paymentTexts, () => import('./admin/AdminPaymentPage.vue')), props: true, meta: staff },
]
