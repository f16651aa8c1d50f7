// Pages about accounts.
import type { RouteRecordRaw } from 'vue-router'

export const authRoutes: RouteRecordRaw[] = [
  { path: '/login', component: () => import('./LoginPage.vue'), meta: { title: 'nav.logIn', guestOnly: true } },
  { path: '/register', component: () => import('./RegisterPage.vue'), meta: { title: 'nav.register', guestOnly: true } },
]
