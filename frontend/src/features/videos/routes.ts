// One's own videos, and the page of one video, which needs no account.
import type { RouteRecordRaw } from 'vue-router'

export const videoRoutes: RouteRecordRaw[] = [
  { path: '/videos', component: () => import('./VideosPage.vue'), meta: { title: 'videos.title', needsLogin: true } },
  { path: '/videos/:id', component: () => import('./VideoPage.vue'), props: true },
]
