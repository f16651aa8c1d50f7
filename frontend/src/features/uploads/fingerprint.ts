// Is this the file that the upload began with? Parts of two files must never be joined.

/** What is remembered of a file. */
export interface Fingerprint {
  name: string
  size: number
  /** Milliseconds since 1970, as the file system has it. Null for uploads that another browser began. */
  modified: number | null
  /** A digest over three places of the file; null where the browser offers none. */
  sample: string | null
}

const SAMPLE = 64 * 1024

/** The first, middle and last 64 KiB: told apart are even files of one size and date, without reading gigabytes. */
export async function sampleOf(file: Blob): Promise<string | null> {
  if (typeof crypto === 'undefined' || !crypto.subtle) return null // Only in secure contexts.
  const middle = Math.max(0, Math.floor(file.size / 2 - SAMPLE / 2))
  const places = [0, middle, Math.max(0, file.size - SAMPLE)]
  try {
    const bytes = await new Blob(places.map((at) => file.slice(at, at + SAMPLE))).arrayBuffer()
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
  } catch {
    return null // It cannot be read; sending it will tell.
  }
}

/** Cheap and certain enough to find the upload that a chosen file may belong to. */
export function looksLike(known: Fingerprint, file: File): boolean {
  return known.size === file.size && (known.modified === null ? known.name === file.name : known.modified === file.lastModified)
}

/** All that is known has to agree; the name may have changed, unless nothing else is known. */
export async function isSameFile(known: Fingerprint, file: File): Promise<boolean> {
  if (!looksLike(known, file)) return false
  if (known.sample === null) return true
  const sample = await sampleOf(file)
  return sample === null || sample === known.sample
}

/** The name of a file for the server, which answers a second beginning with the first upload. Visible ASCII only. */
export function nameOf({ name, size, modified, sample }: Fingerprint): string {
  return `${size}:${modified ?? 0}:${sample ?? encodeURIComponent(name)}`.slice(0, 200)
}
