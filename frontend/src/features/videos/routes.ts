// One's own videos, and the page of one video, which needs no account.
import type { RouteRecordRaw } from 'vue-router'
import { channelTexts } from '@/features/channels/texts'
import { commentTexts } from '@/features/comments/texts'
import { keepTexts } from '@/features/playlists/texts'
import { withTexts } from '@/i18n/withTexts'

export const videoRoutes: RouteRecordRaw[] = [
  { path: '/videos', component: () => import('./VideosPage.vue'), meta: { title: 'videos.title', needsLogin: true } },
  { path: '/videos/:id', component: withTexts([channelTexts, commentTexts, keepTexts], () => import('./VideoPage.vue')), props: true },
]
