// The page one lands on after logging in.
import type { RouteRecordRaw } from 'vue-router'

export const dashboardRoutes: RouteRecordRaw[] = [
  { path: '/dashboard', component: () => import('./DashboardPage.vue'), meta: { title: 'nav.dashboard', needsLogin: true } },
]
