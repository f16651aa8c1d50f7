// Build and development server of the web application.
import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import Components from 'unplugin-vue-components/vite'
import { ElementPlusResolver } from 'unplugin-vue-components/resolvers'
import { defineConfig } from 'vitest/config'

const backend = `http://127.0.0.1:${process.env.MILLRACE_PORT ?? '8080'}`

export default defineConfig({
  plugins: [
    vue(),
    // Only Element Plus is resolved by name; our own components are imported, so that a reader sees where they live.
    Components({
      dirs: [],
      dts: 'src/components.d.ts',
      resolvers: [ElementPlusResolver({ importStyle: 'css' })],
    }),
  ],
  define: {
    __VUE_OPTIONS_API__: true, // Element Plus and vue-i18n still contain option components.
    __VUE_PROD_DEVTOOLS__: false,
    __VUE_I18N_LEGACY_API__: false,
    __VUE_I18N_FULL_INSTALL__: false,
    __INTLIFY_PROD_DEVTOOLS__: false,
  },
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: { '/api': { target: backend, ws: true } },
  },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // No data: URLs, so the content security policy stays narrow.
    chunkSizeWarningLimit: 600, // hls.js, loaded by the watch page only.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            // What every page needs, in few files: dozens of tiny chunks cost more in requests than they save.
            { name: 'vue', test: /node_modules\/(@vue|vue|vue-router|vue-i18n|@intlify|pinia|axios)\//, priority: 3 },
            { name: 'frame', test: /src\/(App|api|i18n\/(index|format)|router|features\/(shell\/(NavBar|EmptyState|ErrorState)|auth\/(session|roles)|realtime|videos\/liveFeed))|element-plus\/es\/components\/input\//, priority: 2 },
          ],
        },
      },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.spec.ts', 'scripts/**/*.spec.ts'],
    restoreMocks: true,
  },
})
