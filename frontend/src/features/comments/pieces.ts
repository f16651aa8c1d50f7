// What a comment is made of: words, links, and times that lead into the video.
export type Piece = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string } | { kind: 'time'; text: string; seconds: number }

const FOUND = /(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}'])|(?<![\d:])((?:\d{1,2}:)?[0-5]?\d:[0-5]\d)(?![\d:])/g

/** `longest`: times behind the end of the video are no times of it. */
export function pieces(body: string, longest = Infinity): Piece[] {
  const found: Piece[] = []
  let end = 0
  for (const match of body.matchAll(FOUND)) {
    const [text, link, time] = match
    const seconds = time ? time.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) : 0
    if (time && seconds > longest) continue
    if (match.index > end) found.push({ kind: 'text', text: body.slice(end, match.index) })
    found.push(link ? { kind: 'link', text, href: link } : { kind: 'time', text, seconds })
    end = match.index + text.length
  }
  if (end < body.length) found.push({ kind: 'text', text: body.slice(end) })
  return found
}
