// Arithmetic of an upload: which bytes make which part, which files are allowed, how fast it goes.

export interface Part {
  number: number
  start: number
  end: number
}

/** Cuts a file into parts of `partSize` bytes; the last one is what remains. Part numbers start at 1, as in S3. */
export function planParts(size: number, partSize: number): Part[] {
  if (partSize <= 0) throw new RangeError('part size must be positive')
  const count = Math.max(1, Math.ceil(size / partSize))
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * partSize,
    end: Math.min((index + 1) * partSize, size),
  }))
}

/** The parts that arrived whole, by number. */
export function wholeParts(upload: { size: number; parts: { part_number: number; size: number }[] }, partSize: number): number[] {
  const plan = planParts(upload.size, partSize)
  const whole = upload.parts.filter(({ part_number, size }) => {
    const part = plan[part_number - 1]
    return part !== undefined && part.end - part.start === size
  })
  return whole.map(({ part_number }) => part_number)
}

/** How many bytes these parts have. */
export function sizeOfParts(numbers: number[], size: number, partSize: number): number {
  const plan = planParts(size, partSize)
  return numbers.reduce((sum, number) => {
    const part = plan[number - 1]
    return part ? sum + part.end - part.start : sum
  }, 0)
}

export type FileFault = 'empty' | 'file_too_large' | 'file_type_not_allowed'

/** Why a file cannot be uploaded, or null when it can. The server decides again. */
export function checkFile(file: { name: string; size: number }, limits: { max_upload_size: number; allowed_extensions: string[] }): FileFault | null {
  const extension = extensionOf(file.name)
  const allowed = limits.allowed_extensions.map((entry) => entry.replace(/^\./, '').toLowerCase())
  if (!allowed.includes(extension)) return 'file_type_not_allowed'
  if (file.size === 0) return 'empty'
  return file.size > limits.max_upload_size ? 'file_too_large' : null
}

export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot < 0 ? '' : name.slice(dot + 1).toLowerCase()
}

const CONTENT_TYPES: Record<string, string> = {
  mp4: 'video/mp4',
  m4v: 'video/x-m4v',
  mov: 'video/quicktime',
  mkv: 'video/x-matroska',
  webm: 'video/webm',
  avi: 'video/x-msvideo',
  ts: 'video/mp2t',
  mpg: 'video/mpeg',
  mpeg: 'video/mpeg',
  flv: 'video/x-flv',
  wmv: 'video/x-ms-wmv',
  '3gp': 'video/3gpp',
  ogv: 'video/ogg',
  mp3: 'audio/mpeg',
  m4a: 'audio/mp4',
  wav: 'audio/wav',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  aac: 'audio/aac',
}

/** The content type to declare. Browsers know few containers, and name some of them in several ways. */
export function contentTypeOf(file: { name: string; type: string }): string {
  return CONTENT_TYPES[extensionOf(file.name)] ?? (file.type || 'application/octet-stream')
}

/** A title to begin with: the file name without its ending, with spaces for separators. */
export function titleFrom(name: string): string {
  const stem = name.replace(/\.[^.]+$/, '')
  const words = stem.replace(/[_.]+/g, ' ').replace(/\s+/g, ' ').trim()
  return (words || stem).slice(0, 100)
}

/** Transfer rate over the last seconds, so that the time left reacts but does not jump. */
export class RateMeter {
  private samples: { at: number; bytes: number }[] = []
  private readonly windowMs: number

  constructor(windowMs = 8000) {
    this.windowMs = windowMs
  }

  add(bytes: number, at: number): void {
    this.samples.push({ at, bytes })
    while (this.samples.length > 2 && at - this.samples[0]!.at > this.windowMs) this.samples.shift()
  }

  /** Bytes a second, or null while there is too little to say. */
  rate(): number | null {
    const first = this.samples[0]
    const last = this.samples.at(-1)
    if (!first || !last || last.at - first.at < 500) return null
    return Math.max(0, (last.bytes - first.bytes) / ((last.at - first.at) / 1000))
  }
}
