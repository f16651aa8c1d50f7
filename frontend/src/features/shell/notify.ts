// Short messages at the top of the page. Loaded when first needed.
import { h } from 'vue'

/** What can be done about it. */
export interface MessageAction {
  label: string
  run: () => void
}

export async function notify(kind: 'success' | 'error' | 'info', text: string, action?: MessageAction): Promise<void> {
  const { ElMessage } = await import('./message')
  if (!action) {
    ElMessage({ type: kind, message: text, grouping: true, showClose: kind === 'error', duration: kind === 'error' ? 6000 : 3000 })
    return
  }
  const run = () => {
    shown.close()
    action.run()
  }
  const message = h('div', { class: 'toast' }, [h('span', text), h('button', { type: 'button', onClick: run }, action.label)])
  // Long enough to read, to think, and to get there by keyboard.
  const shown = ElMessage({ type: kind, message, showClose: true, duration: 10_000 })
}
