// The public front page.
import type { RouteRecordRaw } from 'vue-router'

export const homeRoutes: RouteRecordRaw[] = [
  { path: '/', component: () => import('./HomePage.vue'), beforeEnter: (to) => (typeof to.query.q === 'string' && to.query.q !== '' ? { path: '/search', query: { q: to.query.q } } : true), meta: { title: 'home.title' } },
]
