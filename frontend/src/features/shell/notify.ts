// Short messages at the top of the page. Loaded when first needed.
export async function notify(kind: 'success' | 'error' | 'info', message: string): Promise<void> {
  const { ElMessage } = await import('./message')
  ElMessage({ type: kind, message, grouping: true, showClose: kind === 'error', duration: kind === 'error' ? 6000 : 3000 })
}
