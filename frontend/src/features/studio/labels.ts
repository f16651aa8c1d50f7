// Tags and categories, for pages that are not of the studio.
import { defineAsyncComponent } from 'vue'
import type { Category } from '@/api/types'
import { withTexts } from './texts'

export const CATEGORIES: readonly Category[] = [
  'film', 'music', 'gaming', 'sport', 'travel', 'people', 'comedy', 'news', 'howto', 'education', 'science', 'animals', 'vehicles', 'society',
]
export const MOST_TAGS = 20
export const LONGEST_TAG = 30

/** The fields of a form. */
export const LabelFields = defineAsyncComponent(withTexts(() => import('./LabelFields.vue')))
/** What a video has, as links. */
export const VideoLabels = defineAsyncComponent(withTexts(() => import('./VideoLabels.vue')))
