// The studio: what creators do with their videos.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from './texts'

export const studioRoutes: RouteRecordRaw[] = [
  {
    path: '/studio/videos/:id',
    component: withTexts(() => import('./video/StudioVideoPage.vue')),
    props: true,
    meta: { title: 'nav.studio', needsLogin: true },
  },
]
