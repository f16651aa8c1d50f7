// The upload page.
import type { RouteRecordRaw } from 'vue-router'

export const uploadRoutes: RouteRecordRaw[] = [
  { path: '/videos/upload', component: () => import('./UploadPage.vue'), meta: { title: 'upload.title', needsLogin: true } },
]
