// Tags and categories, for pages that are not of the studio.
import { computed, defineAsyncComponent } from 'vue'
import { useRoute } from 'vue-router'
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
/** Which of them a list is narrowed to, with a way back. */
export const LabelFilter = defineAsyncComponent(withTexts(() => import('./LabelFilter.vue')))

export interface Label {
  tag?: string
  category?: Category
}

/** What the address narrows a list to. */
export function useLabelFilter() {
  const route = useRoute()
  return computed<Label>(() => ({
    tag: typeof route.query.tag === 'string' && route.query.tag !== '' ? route.query.tag : undefined,
    category: CATEGORIES.find((entry) => entry === route.query.category),
  }))
}
