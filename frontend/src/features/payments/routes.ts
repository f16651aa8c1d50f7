// Payments: what one buys and sells, and what staff see of it.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { paymentTexts } from './texts'

const own = { title: 'nav.payments', needsLogin: true } as const

export const paymentRoutes: RouteRecordRaw[] = [
  { path: '/payments', component: withTexts(paymentTexts, () => import('./PaymentsPage.vue')), meta: own },
  { path: '/payments/create', component: withTexts(paymentTexts, () => import('./CreatePaymentPage.vue')), meta: own },
  { path: '/payments/:id', component: withTexts(paymentTexts, () => import('./OrderPage.vue')), props: true, meta: own },
]
