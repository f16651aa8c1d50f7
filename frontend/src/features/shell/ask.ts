// A question before something that cannot be taken back. Loaded when first needed.
export interface Question {
  title: string
  text: string
  yes: string
  no: string
  /** Whether the answer yes does harm. */
  harm: boolean
}

/** True when the person says yes. */
export async function ask({ title, text, yes, no, harm }: Question): Promise<boolean> {
  const { ElMessageBox } = await import('./messageBox')
  const type = harm ? 'warning' : 'info'
  const options = { type, confirmButtonText: yes, cancelButtonText: no, confirmButtonClass: harm ? 'el-button--danger' : '' } as const
  return ElMessageBox.confirm(text, title, options).then(
    () => true,
    () => false,
  )
}
