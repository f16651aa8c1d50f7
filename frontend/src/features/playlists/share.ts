// Addresses and code that lead to a video from elsewhere.

const query = (start: number) => (start > 0 ? `?t=${start}` : '')

/** The page of a video, from `start` seconds. */
export function linkTo(origin: string, video: string, start: number): string {
  return `${origin}/videos/${video}${query(start)}`
}

/** HTML that shows the player on another page. */
export function embedCode(origin: string, video: string, title: string, start: number): string {
  const safe = title.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;')
  return `<iframe src="${origin}/embed/${video}${query(start)}" title="${safe}" width="640" height="360" style="border:0" allow="fullscreen; picture-in-picture" allowfullscreen></iframe>`
}

/** The seconds that `?t=` asks for: `83`, `83s` or `1m23s`; none for anything else. */
export function startOf(text: unknown): number | null {
  const match = typeof text === 'string' ? /^(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s?)?$/.exec(text) : null
  if (!match || text === '') return null
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0)
}
