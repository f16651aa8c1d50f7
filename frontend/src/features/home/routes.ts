// The public front page.
import type { RouteRecordRaw } from 'vue-router'

export const homeRoutes: RouteRecordRaw[] = [
  {
    path: '/',
    component: () => import('./HomePage.vue'),
    // Words, tags and categories were looked for here once: links to them still lead somewhere.
    beforeEnter: ({ query }) => (query.q || query.tag || query.category ? { path: '/search', query } : true),
    meta: { title: 'home.title' },
  },
]
