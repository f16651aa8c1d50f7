// What viewers keep: history and playlists; and the page that other sites may show in a frame.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { keepTexts } from './texts'

export const keepRoutes: RouteRecordRaw[] = [
  { path: '/history', component: withTexts(keepTexts, () => import('@/features/history/HistoryPage.vue')), meta: { title: 'nav.history', needsLogin: true } },
  { path: '/playlists', component: withTexts(keepTexts, () => import('./PlaylistsPage.vue')), meta: { title: 'nav.playlists', needsLogin: true } },
  { path: '/playlists/:id', component: withTexts(keepTexts, () => import('./PlaylistPage.vue')), props: true },
  { path: '/embed/:id', component: withTexts(keepTexts, () => import('@/features/videos/EmbedPage.vue')), props: true, meta: { bare: true } },
]
