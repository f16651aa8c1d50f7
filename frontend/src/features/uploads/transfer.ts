// Moves the bytes of one file: a single PUT, or parts, four at a time. Parts that the store has are never sent twice.
// Knows no page.
import { Problem } from '@/api/problem'
import type { UploadParts, UploadTicket } from '@/api/types'
import { aborted, patiently } from './patience'
import { type Part, planParts } from './plan'

/** How the transfer reaches the outside; the tests have one of their own. */
export interface TransferPorts {
  put(url: string, body: Blob, headers: Record<string, string>, onProgress: (loaded: number) => void, signal: AbortSignal): Promise<string>
  sign(uploadId: string, numbers: number[]): Promise<UploadParts>
  pause(ms: number, signal: AbortSignal): Promise<void>
}

/** What the transfer says while it runs. */
export interface TransferNews {
  onProgress(sent: number): void
  /** The store has this part now. */
  onPart(number: number): void
  /** True when nothing moves for want of a network; false when something moves again. */
  onStall(stalled: boolean): void
}

const PARALLEL = 4
const SIGN_AT_ONCE = 20

export class Transfer {
  readonly file: Blob
  readonly ticket: UploadTicket
  private readonly ports: TransferPorts
  private readonly news: TransferNews
  private readonly urls = new Map<number, string>()
  private readonly done = new Map<number, number>()
  private readonly inFlight = new Map<number, number>()
  private headers: Record<string, string> = {}
  private signing: Promise<void> = Promise.resolve()

  /** `received` are the parts that the store has already, as the server tells. */
  constructor(file: Blob, ticket: UploadTicket, ports: TransferPorts, news: TransferNews, received: Iterable<number> = []) {
    this.file = file
    this.ticket = ticket
    this.ports = ports
    this.news = news
    if (ticket.method === 'single') {
      this.urls.set(1, ticket.url)
      this.headers = ticket.headers
    } else {
      for (const part of ticket.parts) this.urls.set(part.part_number, part.url)
    }
    const plan = this.plan()
    for (const number of received) {
      const part = plan[number - 1]
      if (part) this.done.set(number, part.end - part.start)
    }
  }

  /** Sends what is still missing. Call it again after a failure or a pause: finished parts are not sent twice. */
  async run(signal: AbortSignal): Promise<void> {
    this.report()
    const missing = this.plan().filter((part) => !this.done.has(part.number))
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    const lanes = Array.from({ length: Math.min(PARALLEL, missing.length) }, () => this.lane(missing, both))
    try {
      await Promise.all(lanes)
    } catch (error) {
      stop.abort() // One part is beyond help: the others need not go on.
      await Promise.allSettled(lanes)
      throw error
    }
  }

  /** A single PUT is one part of the whole size. */
  private plan(): Part[] {
    return planParts(this.file.size, this.ticket.method === 'single' ? this.file.size : this.ticket.part_size)
  }

  private async lane(missing: Part[], signal: AbortSignal): Promise<void> {
    for (let part = missing.shift(); part; part = missing.shift()) await this.sendPart(part, missing, signal)
  }

  private async sendPart(part: Part, next: Part[], signal: AbortSignal): Promise<void> {
    const { number } = part
    const body = this.ticket.method === 'single' ? this.file : this.file.slice(part.start, part.end)
    const attempt = async () => {
      const url = await this.urlOf(part, next)
      if (signal.aborted) throw aborted()
      await this.ports.put(url, body, this.headers, (loaded) => this.move(number, loaded), signal)
    }
    await patiently(() => attempt().catch((error: unknown) => this.excuse(error)), {
      signal,
      pause: this.ports.pause,
      onStall: this.news.onStall,
      passing: ({ status }) => status === 403,
      onFault: async (problem) => {
        // Expired: sign it anew. Some stores refuse without the headers that let a browser see why; that looks like
        // a lost network, and an address costs little.
        if (problem.code === 'network' || problem.status === 403) this.urls.delete(number)
        if (problem.code === 'network') await readable(body)
      },
    }).finally(() => {
      this.inFlight.delete(number)
      this.report()
    })
    this.done.set(number, body.size)
    this.news.onPart(number)
    this.report()
  }

  /** A single PUT finds something there already: an earlier try arrived and only its answer was lost. */
  private excuse(error: unknown): void {
    if (this.ticket.method !== 'single' || Problem.from(error).status !== 412) throw error
  }

  /** Signs in batches, one request at a time, so that the lanes do not ask for the same parts. */
  private async urlOf(part: Part, next: Part[]): Promise<string> {
    const turn = this.signing.then(async () => {
      if (this.urls.has(part.number)) return
      const numbers = [part, ...next].map(({ number }) => number).filter((number) => !this.urls.has(number))
      const signed = await this.ports.sign(this.ticket.upload_id, numbers.slice(0, SIGN_AT_ONCE))
      for (const { part_number, url } of signed.parts) this.urls.set(part_number, url)
      if (this.ticket.method === 'single' && signed.url) {
        this.urls.set(1, signed.url)
        this.headers = signed.headers ?? {}
      }
    })
    this.signing = turn.catch(() => undefined)
    await turn
    const url = this.urls.get(part.number)
    if (url === undefined) throw new Problem(0, 'internal', `no address for part ${part.number}`)
    return url
  }

  private move(number: number, loaded: number): void {
    this.inFlight.set(number, loaded)
    if (loaded > 0) this.news.onStall(false)
    this.report()
  }

  private report(): void {
    let sent = 0
    for (const size of this.done.values()) sent += size
    for (const [number, loaded] of this.inFlight) if (!this.done.has(number)) sent += loaded
    this.news.onProgress(Math.min(sent, this.file.size))
  }
}

/** A file that was changed, moved or unplugged fails in the same silent way as a network; reading a byte tells. */
async function readable(body: Blob): Promise<void> {
  try {
    await body.slice(0, 1).arrayBuffer()
  } catch {
    throw new Problem(0, 'file_unreadable', 'the file cannot be read')
  }
}
