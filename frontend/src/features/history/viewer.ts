// What the server calls this browser, so that a visitor counts once a day and no more.
const KEY = 'millrace.viewer'

export function viewerName(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null // Storage is switched off: then each visit is somebody new.
  }
}

export function keepViewerName(name: string): void {
  try {
    localStorage.setItem(KEY, name)
  } catch {
    // See above.
  }
}
