// The admin screens: for auditors and above. Their texts come with the first of them.
import type { RouteRecordRaw } from 'vue-router'
import { addTexts } from '@/i18n'

const texts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }

/** A page together with the texts that it shows. */
function withTexts<T>(page: () => Promise<T>) {
  return async (): Promise<T> => (await Promise.all([page(), addTexts(texts)]))[0]
}

export const adminRoutes: RouteRecordRaw[] = [
  { path: '/admin', redirect: '/admin/jobs' },
  {
    path: '/admin/jobs',
    component: withTexts(() => import('./jobs/JobsPage.vue')),
    meta: { title: 'nav.jobs', needsLogin: true, role: 'auditor' },
  },
  {
    path: '/admin/jobs/:id',
    component: withTexts(() => import('./jobs/JobPage.vue')),
    props: true,
    meta: { title: 'nav.jobs', needsLogin: true, role: 'auditor' },
  },
]
