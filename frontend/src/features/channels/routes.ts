// Channels, and what those whom one follows have to show.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from '@/i18n/withTexts'
import { keepTexts } from '@/features/playlists/texts'
import { channelTexts } from './texts'

export const channelRoutes: RouteRecordRaw[] = [
  { path: '/channels/:username', component: withTexts([channelTexts, keepTexts], () => import('./ChannelPage.vue')), props: true },
  { path: '/feed', component: withTexts(channelTexts, () => import('./FeedPage.vue')), meta: { title: 'nav.feed', needsLogin: true } },
]
