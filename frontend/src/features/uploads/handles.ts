// Files with a way back to them. Chromium hands out handles that outlive a reload; elsewhere there are plain files.

/** The part of `FileSystemFileHandle` that is used, with what TypeScript's library does not know yet. */
export interface FileHandle {
  readonly kind: 'file' | 'directory'
  getFile(): Promise<File>
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>
}

/** A file that was chosen or dropped. */
export interface Chosen {
  file: File
  handle: FileHandle | null
}

type Picker = (options: { multiple: boolean; types: { accept: Record<string, string[]> }[] }) => Promise<FileHandle[]>

/** The browser's dialog that gives handles, or null where there is none. */
export function filePicker(): Picker | null {
  const picker = (window as { showOpenFilePicker?: Picker }).showOpenFilePicker
  return picker ? picker.bind(window) : null
}

/** Asks for files by that dialog; an empty list when the person changed their mind. */
export async function pick(picker: Picker, extensions: string[], multiple: boolean): Promise<Chosen[]> {
  try {
    const accept = { 'video/*': extensions.map((extension) => `.${extension}`) }
    const handles = await picker({ multiple, types: [{ accept }] })
    return await Promise.all(handles.map(async (handle) => ({ file: await handle.getFile(), handle })))
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') return []
    throw error
  }
}

/** The files of a drop. Must be called in the event itself: afterwards the browser has emptied it. */
export function dropped(transfer: DataTransfer): Promise<Chosen[]> {
  type Item = DataTransferItem & { getAsFileSystemHandle?: () => Promise<FileHandle | null> }
  const items = ([...transfer.items] as Item[]).filter(({ kind }) => kind === 'file')
  const found = items.map((item) => ({ file: item.getAsFile(), handle: item.getAsFileSystemHandle?.().catch(() => null) }))
  const chosen = found.map(async ({ file, handle }) => {
    const known = (await handle) ?? null
    // A folder looks like a file without content.
    return file && known?.kind !== 'directory' ? { file, handle: known } : null
  })
  return Promise.all(chosen).then((all) => all.filter((one) => one !== null))
}

/** The file behind a handle. `ask` may show a question, and only a click may cause one. Null: not without the person. */
export async function reopen(handle: FileHandle, ask: boolean): Promise<File | null> {
  try {
    const options = { mode: 'read' } as const
    let state = (await handle.queryPermission?.(options)) ?? 'granted'
    if (state === 'prompt' && ask) state = (await handle.requestPermission?.(options)) ?? 'denied'
    return state === 'granted' ? await handle.getFile() : null
  } catch {
    return null // Moved or deleted.
  }
}
