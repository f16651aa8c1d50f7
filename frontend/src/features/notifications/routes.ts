// What one was told of, what one wants to be told of, and the page of the link in mails.
import type { RouteRecordRaw } from 'vue-router'
import { withTexts } from './texts'

export const notificationRoutes: RouteRecordRaw[] = [
  { path: '/notifications', component: withTexts(() => import('./NotificationsPage.vue')), meta: { title: 'notifications.title', needsLogin: true } },
  {
    path: '/notifications/settings',
    component: withTexts(() => import('./NotificationSettingsPage.vue')),
    meta: { title: 'notifications.preferences.title', needsLogin: true },
  },
  // Who opens a link in a mail need not be logged in.
  { path: '/unsubscribe', component: withTexts(() => import('./UnsubscribePage.vue')), meta: { title: 'notifications.unsubscribe.title' } },
]
