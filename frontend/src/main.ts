// Starts the application: language, session, socket, pages.
import '@fontsource-variable/figtree/wght.css'
import 'element-plus/theme-chalk/base.css'
import 'element-plus/theme-chalk/dark/css-vars.css'
import '@/styles/tokens.css'
import '@/styles/base.css'
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from '@/App.vue'
import { useTokenSource } from '@/api/client'
import { useSession } from '@/features/auth/session'
import { startConnection } from '@/features/realtime/connection'
import { usePreferences } from '@/features/shell/preferences'
import { startLiveFeed } from '@/features/videos/liveFeed'
import { i18n, setLanguage } from '@/i18n'
import { router } from '@/router'

const app = createApp(App)
app.use(createPinia())

const session = useSession()
useTokenSource({ token: () => session.token, refresh: session.refresh })
const started = session.start()
startConnection()
startLiveFeed()

/** The first picture waits this long for the session, so that what only visitors see does not flash up for others. */
const LONGEST_WAIT_MS = 400
const waited = new Promise((resolve) => setTimeout(resolve, LONGEST_WAIT_MS))
await Promise.all([setLanguage(usePreferences().language), Promise.race([started, waited])])
app.use(i18n)
app.use(router)
await router.isReady().catch(() => undefined) // A page that cannot be loaded is shown as an error by App.
app.mount('#app')
