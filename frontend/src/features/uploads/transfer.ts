// Moves the bytes of one file: a single PUT, or parts, three at a time, each tried again after a fault. Knows no page.
import { Problem } from '@/api/problem'
import type { FinishedPart, UploadTicket } from '@/api/types'
import { type Part, planParts } from './plan'

/** How the transfer reaches the outside; the tests have one of their own. */
export interface TransferPorts {
  put(url: string, body: Blob, headers: Record<string, string>, onProgress: (loaded: number) => void, signal: AbortSignal): Promise<string>
  sign(uploadId: string, numbers: number[]): Promise<{ part_number: number; url: string }[]>
  pause(ms: number, signal: AbortSignal): Promise<void>
}

const PARALLEL = 3
const TRIES = 6
const SIGN_AT_ONCE = 20

export class Transfer {
  readonly file: Blob
  readonly ticket: UploadTicket
  private readonly ports: TransferPorts
  private readonly onProgress: (sent: number) => void
  private readonly urls = new Map<number, string>()
  private readonly done = new Map<number, { etag: string; size: number }>()
  private readonly inFlight = new Map<number, number>()
  private signing: Promise<void> = Promise.resolve()

  constructor(file: Blob, ticket: UploadTicket, ports: TransferPorts, onProgress: (sent: number) => void) {
    this.file = file
    this.ticket = ticket
    this.ports = ports
    this.onProgress = onProgress
    if (ticket.method === 'multipart') for (const part of ticket.parts) this.urls.set(part.part_number, part.url)
  }

  /** Sends what is still missing. Call it again after a failure: finished parts are not sent twice. */
  async run(signal: AbortSignal): Promise<FinishedPart[] | undefined> {
    if (this.ticket.method === 'single') {
      await this.single(this.ticket, signal)
      return undefined
    }
    const missing = planParts(this.file.size, this.ticket.part_size).filter((part) => !this.done.has(part.number))
    const stop = new AbortController()
    const both = AbortSignal.any([signal, stop.signal])
    const lanes = Array.from({ length: Math.min(PARALLEL, missing.length) }, () => this.lane(missing, both))
    try {
      await Promise.all(lanes)
    } catch (error) {
      stop.abort() // One part is beyond help: the others need not go on.
      await Promise.allSettled(lanes)
      this.inFlight.clear()
      this.report()
      throw error
    }
    return [...this.done].sort(([a], [b]) => a - b).map(([part_number, { etag }]) => ({ part_number, etag }))
  }

  private async single(ticket: Extract<UploadTicket, { method: 'single' }>, signal: AbortSignal): Promise<void> {
    if (this.done.has(1)) return
    const attempt = async () => {
      try {
        return await this.ports.put(ticket.url, this.file, ticket.headers, (loaded) => this.move(1, loaded), signal)
      } catch (error) {
        // Something is there already: an earlier try arrived and only its answer was lost. Completing checks it.
        if (Problem.from(error).status === 412) return ''
        throw error
      }
    }
    this.finish(1, await this.persist(1, attempt, signal), this.file.size)
  }

  private async lane(missing: Part[], signal: AbortSignal): Promise<void> {
    for (let part = missing.shift(); part; part = missing.shift()) await this.sendPart(part, missing, signal)
  }

  private async sendPart(part: Part, next: Part[], signal: AbortSignal): Promise<void> {
    const body = this.file.slice(part.start, part.end)
    const attempt = async () => {
      const url = await this.urlOf(part, next)
      if (signal.aborted) throw new Problem(0, 'aborted', 'aborted')
      try {
        return await this.ports.put(url, body, {}, (loaded) => this.move(part.number, loaded), signal)
      } catch (error) {
        if (Problem.from(error).status === 403) this.urls.delete(part.number) // Expired: sign it anew.
        throw error
      }
    }
    this.finish(part.number, await this.persist(part.number, attempt, signal), body.size)
  }

  private async persist(number: number, attempt: () => Promise<string>, signal: AbortSignal): Promise<string> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await attempt()
      } catch (error) {
        const problem = Problem.from(error)
        this.move(number, 0)
        if (signal.aborted || problem.code === 'aborted') throw new Problem(0, 'aborted', 'aborted')
        if (tries >= TRIES || !worthRetrying(problem, this.ticket.method)) throw problem
        await this.ports.pause(Math.min(500 * 2 ** (tries - 1), 10_000) * (0.5 + Math.random()), signal)
      }
    }
  }

  /** Signs in batches, one request at a time, so that three lanes do not ask for the same parts. */
  private async urlOf(part: Part, next: Part[]): Promise<string> {
    const turn = this.signing.then(async () => {
      if (this.urls.has(part.number)) return
      const numbers = [part, ...next].map(({ number }) => number).filter((number) => !this.urls.has(number))
      const signed = await this.ports.sign(this.ticket.upload_id, numbers.slice(0, SIGN_AT_ONCE))
      for (const { part_number, url } of signed) this.urls.set(part_number, url)
    })
    this.signing = turn.catch(() => undefined)
    await turn
    const url = this.urls.get(part.number)
    if (url === undefined) throw new Problem(0, 'internal', `no address for part ${part.number}`)
    return url
  }

  private move(number: number, loaded: number): void {
    this.inFlight.set(number, loaded)
    this.report()
  }

  private finish(number: number, etag: string, size: number): void {
    this.inFlight.delete(number)
    this.done.set(number, { etag, size })
    this.report()
  }

  private report(): void {
    let sent = 0
    for (const { size } of this.done.values()) sent += size
    for (const loaded of this.inFlight.values()) sent += loaded
    this.onProgress(Math.min(sent, this.file.size))
  }
}

/** A lost network and a busy server pass; an expired address is signed anew, which only parts can be. */
function worthRetrying(problem: Problem, method: UploadTicket['method']): boolean {
  if (problem.status === 403) return method === 'multipart'
  return problem.status === 0 || problem.status === 408 || problem.status === 429 || problem.status >= 500
}
