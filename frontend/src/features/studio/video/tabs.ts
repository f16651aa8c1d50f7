// The tabs of a video's page in the studio, in order.
import { type Component, defineAsyncComponent } from 'vue'

export interface Tab {
  name: 'details' | 'thumbnail' | 'captions' | 'chapters' | 'source' | 'price' | 'statistics'
  page: Component
}

export const TABS: readonly Tab[] = [
  { name: 'details', page: defineAsyncComponent(() => import('./DetailsTab.vue')) },
  { name: 'thumbnail', page: defineAsyncComponent(() => import('./ThumbnailTab.vue')) },
  { name: 'captions', page: defineAsyncComponent(() => import('./CaptionsTab.vue')) },
  { name: 'chapters', page: defineAsyncComponent(() => import('./ChaptersTab.vue')) },
  { name: 'source', page: defineAsyncComponent(() => import('./SourceTab.vue')) },
  { name: 'price', page: defineAsyncComponent(() => import('./PriceTab.vue')) },
  { name: 'statistics', page: defineAsyncComponent(() => import('./StatisticsTab.vue')) },
]
