// Search, and what is trending.
import type { RouteRecordRaw } from 'vue-router'
import { channelTexts } from '@/features/channels/texts'
import { studioTexts } from '@/features/studio/texts'
import { withTexts } from '@/i18n/withTexts'
import { discoveryTexts } from './texts'

export const discoveryRoutes: RouteRecordRaw[] = [
  { path: '/search', component: withTexts([discoveryTexts, channelTexts, studioTexts], () => import('./SearchPage.vue')) },
  { path: '/trending', component: withTexts(discoveryTexts, () => import('./TrendingPage.vue')), meta: { title: 'nav.trending' } },
]
