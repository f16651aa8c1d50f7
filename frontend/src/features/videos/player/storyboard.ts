// The pictures of a seek bar: WebVTT whose cues name places on sheets.

export interface Shot {
  /** Seconds. */
  from: number
  /** The sheet. */
  url: string
  x: number
  y: number
  width: number
  height: number
}

/** The shots of a list that was found at `base`, in order. Lines that say nothing we know are passed over. */
export function readStoryboard(text: string, base: string): Shot[] {
  const shots: Shot[] = []
  const lines = text.split('\n')
  lines.forEach((line, index) => {
    const from = /^(?:(\d+):)?(\d\d):(\d\d\.\d{3}) --> /.exec(line)
    const place = /^(.+)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(lines[index + 1] ?? '')
    if (!from || !place) return
    const [x, y, width, height] = place.slice(2).map(Number)
    const seconds = Number(from[1] ?? 0) * 3600 + Number(from[2]) * 60 + Number(from[3])
    shots.push({ from: seconds, url: new URL(String(place[1]), base).href, x: Number(x), y: Number(y), width: Number(width), height: Number(height) })
  })
  return shots
}

/** The last entry that begins at `time` or before; they are in order. */
export function at<T>(entries: readonly T[], time: number, from: (entry: T) => number): T | null {
  let [low, high] = [0, entries.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (from(entries[middle] as T) <= time) low = middle + 1
    else high = middle
  }
  return entries[low - 1] ?? null
}
