// The studio: what creators do with their videos.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from './texts'

export const studioRoutes: RouteRecordRaw[] = [
  {
    path: '/studio',
    component: withTexts(() => import('./StudioPage.vue')),
    meta: { title: 'nav.studio', needsLogin: true },
  },
  {
    path: '/studio/trash',
    component: withTexts(() => import('./TrashPage.vue')),
    meta: { title: 'nav.studio', needsLogin: true },
  },
  {
    path: '/studio/videos/:id',
    component: withTexts(() => import('./video/StudioVideoPage.vue')),
    props: true,
    meta: { title: 'nav.studio', needsLogin: true },
  },
]
