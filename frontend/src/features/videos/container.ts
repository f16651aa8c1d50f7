// The container of the original, by the one word that people know it by.

/** What ffprobe calls a container, or a family of them, and what people do. */
const NAMES: Record<string, string> = {
  mov: 'MP4',
  matroska: 'MKV',
  webm: 'WebM',
  mpegts: 'MPEG-TS',
  mpeg: 'MPEG',
  asf: 'WMV',
  ogg: 'Ogg',
  '3gp': '3GP',
}

/** `mov,mp4,m4a,3gp,3g2,mj2` is the family of MP4; unknown words are shown as they are. Null: nobody knows yet. */
export function containerName(format: string | null): string | null {
  const first = format?.split(',')[0]?.trim().toLowerCase()
  return first ? (NAMES[first] ?? first.toUpperCase()) : null
}
