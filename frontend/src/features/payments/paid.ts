// What the view of a video says of its price, until the generated schema says it.
import type { Video } from '@/api/types'
import type { Money } from './types'

type Priced = Video & { price?: Money | null; paid?: boolean }

/** The price of a video that the viewer may not watch yet; null when nothing stands in the way. */
export function wallOf(video: Video): Money | null {
  const { price, paid } = video as Priced
  return price && !paid ? price : null
}
