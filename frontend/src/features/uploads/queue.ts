// All uploads of this tab: two files at a time, each resumable, each completed as soon as its bytes are there.
// It belongs to the application and not to a page: walking around does not stop it.
import { Problem } from '@/api/problem'
import type { Upload, UploadRequest, UploadTicket, Video, VideoChanges, Visibility } from '@/api/types'
import type { UploadDetails } from './api'
import { isSameFile, looksLike, nameOf, sampleOf } from './fingerprint'
import { type Chosen, reopen } from './handles'
import { isActive, type UploadItem } from './item'
import type { Memory, Remembered } from './memory'
import type { Ownership } from './ownership'
import { aborted, patiently } from './patience'
import { contentTypeOf, RateMeter, titleFrom, wholeParts } from './plan'
import { Rows, type Work } from './rows'
import { Transfer, type TransferPorts } from './transfer'

/** How the queue reaches the outside; the tests have an outside of their own. */
export interface QueuePorts extends TransferPorts {
  start(file: UploadRequest): Promise<UploadTicket>
  look(id: string): Promise<Upload>
  list(): Promise<Upload[]>
  complete(id: string, details: UploadDetails): Promise<Video>
  abort(id: string): Promise<void>
  video(id: string): Promise<Video>
  update(id: string, changes: VideoChanges): Promise<Video>
  memory: Memory
  ownership: Ownership
}

/** More would share the line without making it wider, and delay the first video. */
const AT_ONCE = 2

export class UploadQueue {
  readonly rows = new Rows()
  readonly ports: QueuePorts
  /** Whose uploads these are. */
  user: string | null = null
  /** Uploads that are being given up: beginning the same file before they are gone would bring them back. */
  private ending: Promise<unknown> = Promise.resolve()

  constructor(ports: QueuePorts) {
    this.ports = ports
  }

  get items(): UploadItem[] {
    return this.rows.items
  }

  /** Another person, or nobody: stops everything and forgets the rows. What is unfinished stays remembered. */
  enter(user: string | null): void {
    for (const item of [...this.items]) this.remove(item)
    this.user = user
  }

  /** Takes a file. It begins when it is its turn; an unfinished upload of the same file goes on instead. */
  add(chosen: Chosen, visibility: Visibility): UploadItem {
    const { file, handle } = chosen
    const known = this.find(file)
    if (known) {
      if (known.phase === 'lost') void this.attach(known, chosen)
      this.retry(known)
      return known
    }
    const details = { title: titleFrom(file.name), description: '', visibility }
    const print = { name: file.name, size: file.size, modified: file.lastModified, sample: null }
    const item = this.rows.put({ name: file.name, size: file.size, phase: 'queued', details }, { print, file, handle })
    this.pump()
    return item
  }

  /** The unfinished upload of this browser that a file seems to belong to. Files of a batch may share size and date. */
  find(file: File): UploadItem | undefined {
    const fits = ({ print }: Work) => print.name === file.name && print.modified !== null && looksLike(print, file)
    return this.items.find((item) => item.phase !== 'done' && fits(this.rows.work(item)))
  }

  /** Goes on with a file that was chosen again, if it is the same. */
  async attach(item: UploadItem, chosen: Chosen): Promise<void> {
    const work = this.rows.work(item)
    item.problem = null
    if (!(await isSameFile(work.print, chosen.file))) {
      item.problem = new Problem(0, 'different_file', 'not the file that the upload began with')
    } else if (work.print.modified === null) {
      // Another browser began it: only the server can tell whether it is the same file, when it is begun again.
      this.add(chosen, item.details.visibility)
    } else if (item.phase === 'lost') {
      work.file = chosen.file
      work.handle = chosen.handle ?? work.handle
      if (item.id !== null && chosen.handle) void this.ports.memory.change(item.id, { handle: chosen.handle })
      item.phase = 'queued'
      this.pump()
    }
  }

  /** Goes on without choosing the file, where the browser knows the way to it. False: it has to be chosen. */
  async reattach(item: UploadItem, ask: boolean): Promise<boolean> {
    const { handle } = this.rows.work(item)
    const file = handle && (await reopen(handle, ask))
    if (file) await this.attach(item, { file, handle })
    else if (ask) item.reachable = false
    return file !== null && item.problem === null
  }

  pause(item: UploadItem): void {
    if (item.phase !== 'queued' && item.phase !== 'sending') return
    item.phase = 'paused'
    quiet(item)
    this.rows.work(item).stop.abort()
    this.pump()
  }

  resume(item: UploadItem): void {
    if (item.phase !== 'paused') return
    item.phase = 'queued'
    this.pump()
  }

  /** After a failure: sends what is missing. What the server has ended or refused begins anew. */
  retry(item: UploadItem): void {
    if (item.phase !== 'failed') return
    const work = this.rows.work(item)
    const { status = 0, code } = item.problem ?? {}
    if (code === 'upload_incomplete') work.transfer = null
    else if (status >= 400 && status < 500 && status !== 401) {
      this.giveUp(item)
      item.id = work.transfer = null
      item.sent = 0
    }
    item.problem = null
    item.phase = work.file ? 'queued' : 'lost'
    this.pump()
  }

  /** Gives an unfinished upload up, here and at the server. A finished one only leaves the list. */
  cancel(item: UploadItem): void {
    if (item.phase !== 'done') this.giveUp(item)
    this.remove(item)
  }

  /** The person is happy with the details: others may see the video as they say. */
  async publish(item: UploadItem): Promise<void> {
    item.published = true
    this.note(item)
    if (item.phase === 'done') await this.settle(item)
  }

  /** Remembers the details as they are now. */
  note({ id, phase, details, published }: UploadItem): void {
    if (id !== null && phase !== 'done') void this.ports.memory.change(id, { details: { ...details }, published })
  }

  /** Brings back a finished row of this tab after a reload. */
  restore(row: Pick<UploadItem, 'name' | 'size' | 'details' | 'published'>, video: Video): void {
    if (this.items.some((item) => item.video?.id === video.id)) return
    const { name, size } = row
    this.rows.put({ ...row, phase: 'done', sent: size, video }, { print: { name, size, modified: null, sample: null } })
  }

  /** News from another tab, another device, or the sweep. */
  async hear(id: string, status: Upload['status'], videoId: string | null): Promise<void> {
    const item = this.rows.of(id)
    // While it is being completed here, the answer to that says more.
    if (!item || item.phase === 'done' || item.phase === 'finishing' || status === 'pending') return
    const watched = item.phase === 'lost' || item.phase === 'elsewhere'
    this.rows.work(item).stop.abort()
    if (watched) {
      void this.ports.memory.forget(id)
      this.remove(item)
    } else if (status === 'completed' && videoId !== null) {
      const video = await this.ports.video(videoId).catch(() => null)
      if (video) await this.end(item, video)
      else this.remove(item)
    } else {
      this.fail(item, ended(status))
    }
    this.pump()
  }

  /** All bytes are there. False: the store says that some are not, and it is worth sending them. */
  async finish(item: UploadItem, last: boolean): Promise<boolean> {
    const id = item.id ?? ''
    item.phase = 'finishing'
    quiet(item)
    this.pump()
    try {
      const complete = () => this.ports.complete(id, wanted(item))
      await this.end(item, await this.patiently(item, complete))
      return true
    } catch (error) {
      if (!last && Problem.from(error).code === 'upload_incomplete') return false
      throw error
    }
  }

  fail(item: UploadItem, problem: Problem): void {
    if (problem.code === 'aborted' || !this.items.includes(item)) return
    quiet(item)
    item.problem = problem
    item.phase = problem.code === 'file_unreadable' && item.id !== null ? 'lost' : 'failed'
    const work = this.rows.work(item)
    if (item.phase === 'lost') work.file = work.transfer = null
  }

  /** Another tab sends it. When that tab goes, this one may go on: resolves then, if the row is still there. */
  async yield(item: UploadItem, id: string): Promise<boolean> {
    item.phase = 'elsewhere'
    const work = this.rows.work(item)
    work.transfer = null
    await this.ports.ownership.freed(id)
    if (item.phase !== 'elsewhere' || work.gone.signal.aborted) return false
    item.phase = work.file ? 'queued' : 'lost'
    this.pump()
    return true
  }

  remove(item: UploadItem): void {
    if (item.id !== null) this.ports.ownership.release(item.id)
    this.rows.remove(item)
    this.pump()
  }

  private pump(): void {
    for (const item of this.rows.in('queued')) {
      if (this.rows.in('sending').length < AT_ONCE) void this.run(item)
    }
  }

  private async run(item: UploadItem): Promise<void> {
    const work = this.rows.work(item)
    const { signal } = (work.stop = new AbortController())
    item.phase = 'sending'
    item.problem = null
    work.meter = new RateMeter()
    try {
      for (let round = 1; ; round += 1) {
        work.opening ??= this.open(item, work).finally(() => (work.opening = null))
        const opened = work.transfer ?? (await work.opening)
        if (!(opened instanceof Transfer)) return await this.end(item, opened)
        work.transfer = opened
        if (signal.aborted) return
        await opened.run(signal)
        if (signal.aborted) return
        if (await this.finish(item, round > 1)) return
        work.transfer = null // The store has less than we thought: ask it, and send the rest.
        item.phase = 'sending'
      }
    } catch (error) {
      if (!signal.aborted) this.fail(item, Problem.from(error))
    } finally {
      this.pump()
    }
  }

  /** Begins the upload, or finds out how far it is. Outlives a pause, so that an upload is never begun twice. */
  private async open(item: UploadItem, work: Work): Promise<Transfer | Video> {
    const { file } = work
    if (!file) throw new Problem(0, 'file_unreadable', 'no file')
    if (item.id !== null) return this.reopen(item, work, file, item.id)
    await this.ending
    work.print.sample ??= await sampleOf(file)
    const request = { filename: file.name, size: file.size, content_type: contentTypeOf(file), fingerprint: nameOf(work.print) }
    const ticket = await this.patiently(item, () => this.ports.start(request))
    const id = ticket.upload_id
    if (work.gone.signal.aborted) {
      this.endAtServer(id)
      throw aborted()
    }
    // The same file was begun before, here or elsewhere: the row that waited for it is this one now.
    const before = this.rows.of(id)
    if (before?.phase === 'lost') this.remove(before)
    item.id = id
    await this.claim(item, id)
    await this.ports.memory.save(this.record(item, work, ticket))
    const begun = ticket.method === 'multipart' && ticket.parts.some(({ part_number }, index) => part_number !== index + 1)
    return begun ? this.reopen(item, work, file, id) : this.transfer(item, work, file, ticket, [])
  }

  private async reopen(item: UploadItem, work: Work, file: File, id: string): Promise<Transfer | Video> {
    await this.claim(item, id)
    const upload = await this.patiently(item, () => this.ports.look(id))
    if (upload.status === 'completed' && upload.video_id !== null) return this.ports.video(upload.video_id)
    if (upload.status !== 'pending') throw ended(upload.status)
    const { part_size, part_count } = upload
    if (part_size !== null) {
      const ticket: UploadTicket = { method: 'multipart', upload_id: id, part_size, part_count: part_count ?? 1, parts: [] }
      return this.transfer(item, work, file, ticket, wholeParts(upload, part_size))
    }
    const { url = '', headers = {} } = await this.patiently(item, () => this.ports.sign(id, [1]))
    return this.transfer(item, work, file, { method: 'single', upload_id: id, url, headers }, [])
  }

  private transfer(item: UploadItem, work: Work, file: File, ticket: UploadTicket, received: number[]): Transfer {
    const parts = new Set(received)
    const news = {
      onProgress: (sent: number) => progress(item, work, sent),
      onPart: (number: number) => {
        parts.add(number)
        void this.ports.memory.change(ticket.upload_id, { parts: [...parts] })
      },
      onStall: (stalled: boolean) => {
        item.stalled = stalled && item.phase === 'sending'
      },
    }
    return new Transfer(file, ticket, this.ports, news, received)
  }

  private async claim(item: UploadItem, id: string): Promise<void> {
    if (await this.ports.ownership.claim(id)) return
    void this.yield(item, id)
    throw aborted()
  }

  private async end(item: UploadItem, video: Video): Promise<void> {
    const { id } = item
    quiet(item)
    Object.assign(item, { sent: item.size, video, phase: 'done', problem: null })
    if (id !== null) {
      void this.ports.memory.forget(id)
      this.ports.ownership.release(id)
    }
    if (item.published) {
      await this.settle(item).catch((error: unknown) => {
        item.problem = Problem.from(error)
      })
    }
  }

  /** Brings to the video what was written after its bytes had arrived. */
  private async settle(item: UploadItem): Promise<void> {
    const { video } = item
    const { title, description, visibility } = wanted(item)
    if (!video || (video.title === title && video.description === description && video.visibility === visibility)) return
    item.saving = true
    item.problem = null
    try {
      item.video = await this.ports.update(video.id, { title, description, visibility })
    } catch (error) {
      item.published = false
      throw error
    } finally {
      item.saving = false
    }
  }

  private giveUp({ id }: UploadItem): void {
    if (id === null) return
    void this.ports.memory.forget(id)
    this.ports.ownership.release(id)
    this.endAtServer(id)
  }

  private endAtServer(id: string): void {
    // The sweep takes what stays behind.
    this.ending = Promise.allSettled([this.ending, this.ports.abort(id)])
  }

  private patiently<T>(item: UploadItem, work: () => Promise<T>): Promise<T> {
    const { signal } = this.rows.work(item).gone
    const onStall = (stalled: boolean) => {
      item.stalled = stalled && isActive(item)
    }
    return patiently(work, { signal, pause: this.ports.pause, onStall })
  }

  private record(item: UploadItem, work: Work, ticket: UploadTicket): Remembered {
    const { details, published } = item
    const partSize = ticket.method === 'multipart' ? ticket.part_size : null
    return { ...work.print, id: ticket.upload_id, user: this.user ?? '', details: { ...details }, published, parts: [], partSize, handle: work.handle }
  }
}

/** Private until the person has said otherwise: processing need not wait for them, and nobody sees a draft. */
function wanted({ name, details, published }: UploadItem): UploadDetails {
  const title = details.title.trim() || titleFrom(name)
  return { title, description: details.description.trim(), visibility: published ? details.visibility : 'private' }
}

function ended(status: Upload['status']): Problem {
  return new Problem(409, status === 'expired' ? 'upload_expired' : 'upload_over', 'the upload was ended elsewhere')
}

function progress(item: UploadItem, work: Work, sent: number): void {
  item.sent = sent
  const now = performance.now()
  if (item.phase !== 'sending' || now - work.sampled < 200) return
  work.sampled = now
  work.meter.add(sent, now)
  item.rate = work.meter.rate()
}

function quiet(item: UploadItem): void {
  item.rate = null
  item.stalled = false
}
