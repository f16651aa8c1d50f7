// The rows of the queue: what the pages see of each upload, and what belongs to it and is nothing to show.
import { reactive } from 'vue'
import type { Video } from '@/api/types'
import type { Fingerprint } from './fingerprint'
import type { FileHandle } from './handles'
import type { UploadItem } from './item'
import { RateMeter } from './plan'
import type { Transfer } from './transfer'

/** The inside of an upload. */
export interface Work {
  print: Fingerprint
  file: File | null
  handle: FileHandle | null
  opening: Promise<Transfer | Video> | null
  transfer: Transfer | null
  /** Stops the bytes; a new one for each run. */
  stop: AbortController
  /** Ends everything: the person gave it up, or logged out. */
  gone: AbortController
  meter: RateMeter
  sampled: number
}

export class Rows {
  readonly items = reactive<UploadItem[]>([])
  private readonly works = new Map<string, Work>()
  private count = 0

  /** Adds a row and returns it as the pages see it: reactive. */
  put(row: Partial<UploadItem> & Pick<UploadItem, 'name' | 'size' | 'phase' | 'details'>, given: Pick<Work, 'print'> & Partial<Work>): UploadItem {
    const key = `u${(this.count += 1)}`
    const [stop, gone, meter] = [new AbortController(), new AbortController(), new RateMeter()]
    this.works.set(key, { file: null, handle: null, opening: null, transfer: null, stop, gone, meter, sampled: 0, ...given })
    const none = { id: null, sent: 0, rate: null, stalled: false, published: false, saving: false, video: null, problem: null, reachable: false }
    this.items.push({ ...none, ...row, key })
    return this.items.at(-1) as UploadItem
  }

  /** Takes a row away and ends whatever is under way for it. */
  remove(item: UploadItem): void {
    const work = this.works.get(item.key)
    work?.stop.abort()
    work?.gone.abort()
    this.works.delete(item.key)
    const at = this.items.findIndex(({ key }) => key === item.key)
    if (at >= 0) this.items.splice(at, 1)
  }

  work(item: UploadItem): Work {
    const work = this.works.get(item.key)
    if (!work) throw new Error('this upload is gone')
    return work
  }

  of(id: string): UploadItem | undefined {
    return this.items.find((item) => item.id === id)
  }

  in(phase: UploadItem['phase']): UploadItem[] {
    return this.items.filter((item) => item.phase === phase)
  }
}
