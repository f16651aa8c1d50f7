import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { nextTick } from 'vue'
import { Problem } from '@/api/problem'
import type { Upload, UploadTicket, Video } from '@/api/types'
import type { UploadDetails } from './api'
import type { Chosen } from './handles'
import type { UploadItem } from './item'
import type { Memory, Remembered } from './memory'
import { planParts } from './plan'
import { type QueuePorts, UploadQueue } from './queue'
import { recall } from './unfinished'

const PART = 1000

/** A server with uploads and a store, and the browser's memory: what outlives a tab. */
function world() {
  const uploads = new Map<string, Upload & { fingerprint?: string | null }>()
  const videos = new Map<string, Video>()
  const records = new Map<string, Remembered>()
  const held = new Map<string, object>()
  const puts: string[] = []
  /** PUTs wait here until a test lets them go. */
  const waiting: { part: string; signal: AbortSignal; arrive: () => void; fail: (problem: Problem) => void }[] = []
  const told: { hold: boolean; starts: number; completed: UploadDetails[] } = { hold: false, starts: 0, completed: [] }
  const received = (upload: Upload) => upload.parts.reduce((sum, { size }) => sum + size, 0)

  const memory: Memory = {
    save: async (record) => void records.set(record.id, { ...record }),
    change: async (id, fields) => {
      const known = records.get(id)
      if (known) records.set(id, { ...known, ...fields })
    },
    forget: async (id) => void records.delete(id),
    recall: async (user) => [...records.values()].filter((record) => record.user === user),
  }

  /** One tab. */
  function tab() {
    const self = {}
    const ports: QueuePorts = {
      start: async ({ filename, size, fingerprint }): Promise<UploadTicket> => {
        told.starts += 1
        const same = [...uploads.values()].find((upload) => upload.status === 'pending' && fingerprint !== undefined && upload.fingerprint === fingerprint)
        const id = same?.id ?? `upload-${uploads.size + 1}`
        const part_count = Math.ceil(size / PART)
        if (!same) {
          const times = { created_at: '', expires_at: '' }
          const plan = { method: 'multipart' as const, part_size: PART, part_count, parts: [], missing: [], received_bytes: null }
          uploads.set(id, { id, status: 'pending', filename, size, ...plan, video_id: null, error_code: null, ...times, fingerprint })
        }
        const missing = planParts(size, PART).filter(({ number }) => !uploads.get(id)?.parts.some(({ part_number }) => part_number === number))
        return { method: 'multipart', upload_id: id, part_size: PART, part_count, parts: missing.map(({ number }) => ({ part_number: number, url: `${id}/${number}` })) }
      },
      look: async (id) => {
        const upload = uploads.get(id)
        if (!upload) throw new Problem(404, 'not_found', 'absent')
        const there = upload.parts.map(({ part_number }) => part_number)
        const missing = planParts(upload.size, PART).map(({ number }) => number).filter((number) => !there.includes(number))
        return { ...upload, missing, received_bytes: received(upload) }
      },
      list: async () => [...uploads.values()].filter(({ status }) => status === 'pending').map((upload) => ({ ...upload, parts: [], received_bytes: received(upload) })),
      sign: async (id, numbers) => ({ parts: numbers.map((part_number) => ({ part_number, url: `${id}/${part_number}` })) }),
      put: (url, body, _headers, _onProgress, signal) =>
        new Promise((resolve, reject) => {
          const [id = '', number = ''] = url.split('/')
          const arrive = () => {
            puts.push(url)
            uploads.get(id)?.parts.push({ part_number: Number(number), etag: 'x', size: body.size })
            resolve('x')
          }
          if (!told.hold) return arrive()
          signal.addEventListener('abort', () => reject(new Problem(0, 'aborted', 'aborted')))
          waiting.push({ part: url, signal, arrive, fail: reject })
        }),
      complete: async (id, details) => {
        const upload = uploads.get(id)
        if (!upload || upload.status === 'aborted') throw new Problem(409, 'upload_over', 'over')
        if (upload.parts.length < (upload.part_count ?? 0)) throw new Problem(409, 'upload_incomplete', 'parts are missing')
        told.completed.push({ ...details })
        upload.status = 'completed'
        upload.video_id = `video-${id}`
        const video = { id: upload.video_id, ...details } as Video
        videos.set(video.id, video)
        return video
      },
      abort: async (id) => {
        const upload = uploads.get(id)
        if (upload?.status === 'pending') upload.status = 'aborted'
      },
      video: async (id) => videos.get(id) as Video,
      update: async (id, changes) => {
        const video = { ...videos.get(id), ...changes } as Video
        videos.set(id, video)
        return video
      },
      pause: () => Promise.resolve(),
      memory,
      ownership: {
        claim: async (id) => {
          if (held.has(id) && held.get(id) !== self) return false
          held.set(id, self)
          return true
        },
        release: (id) => void (held.get(id) === self && held.delete(id)),
        freed: (id) => until(() => !held.has(id)).then(() => undefined),
      },
    }
    const queue = new UploadQueue(ports)
    queue.enter('ann')
    /** A crash: nothing is said to anybody, and the locks go. */
    const crash = () => {
      for (const [id, owner] of held) if (owner === self) held.delete(id)
    }
    return { queue, ports, crash }
  }
  return { tab, uploads, videos, records, puts, waiting, told }
}

const file = (name: string, size: number, modified = 7): Chosen => ({
  file: new File([new Uint8Array(size).fill(size % 251)], name, { lastModified: modified }),
  handle: null,
})
const until = (condition: () => unknown) => vi.waitUntil(condition, { timeout: 20_000 })
const phase = (item: UploadItem | undefined, wanted: UploadItem['phase']) => until(() => item?.phase === wanted)
const numbers = (urls: string[]) => urls.map((url) => Number(url.split('/')[1])).sort()

vi.setConfig({ testTimeout: 30_000 })

let outside: ReturnType<typeof world>
beforeEach(() => {
  outside = world()
})
afterEach(() => vi.restoreAllMocks())

describe('UploadQueue', () => {
  it('moves two files at a time and completes each as soon as its bytes are there', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const [first, second, third] = [file('a.mp4', 500), file('b.mp4', 600), file('c.mp4', 700)].map((one) => queue.add(one, 'public'))
    await until(() => outside.waiting.length === 2)
    expect([first, second, third].map((item) => item?.phase)).toEqual(['sending', 'sending', 'queued'])
    // Which of the two asked first is not said.
    const mine = outside.waiting.findIndex(({ part }) => part.startsWith(`${first?.id}/`))
    outside.waiting.splice(mine, 1)[0]?.arrive()
    await phase(first, 'done')
    await until(() => outside.waiting.length === 2)
    outside.told.hold = false
    for (const one of outside.waiting) one.arrive()
    await Promise.all([phase(second, 'done'), phase(third, 'done')])
    expect(outside.told.starts).toBe(3)
    expect(outside.records.size).toBe(0)
  })

  it('shows a video to nobody else before it is published', async () => {
    const { queue } = outside.tab()
    const item = queue.add(file('my_trip.mp4', 500), 'public')
    await phase(item, 'done')
    expect(outside.told.completed).toEqual([{ title: 'my trip', description: '', visibility: 'private' }])
    item.details.title = 'Trip'
    await queue.publish(item)
    expect(outside.videos.get('video-upload-1')).toMatchObject({ title: 'Trip', visibility: 'public' })
  })

  it('publishes at once what was confirmed while the bytes moved', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 500), 'unlisted')
    await until(() => outside.waiting.length === 1)
    await queue.publish(item)
    outside.waiting[0]?.arrive()
    await phase(item, 'done')
    expect(outside.told.completed[0]?.visibility).toBe('unlisted')
  })

  it('pauses and goes on without sending a part twice', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 6 * PART), 'public')
    await until(() => outside.waiting.length === 4)
    outside.waiting[0]?.arrive()
    outside.waiting[1]?.arrive()
    await until(() => outside.waiting.length === 6)
    queue.pause(item)
    expect(outside.waiting.slice(2).every(({ signal }) => signal.aborted)).toBe(true)
    await phase(item, 'paused')
    outside.told.hold = false
    queue.resume(item)
    await phase(item, 'done')
    expect(numbers(outside.puts)).toEqual([1, 2, 3, 4, 5, 6])
    expect(outside.told.starts).toBe(1)
  })

  it('begins an upload once, however quickly it is paused and resumed', async () => {
    const { queue } = outside.tab()
    const item = queue.add(file('a.mp4', 500), 'public')
    for (let times = 0; times < 3; times += 1) {
      queue.pause(item)
      queue.resume(item)
    }
    await phase(item, 'done')
    expect(outside.told.starts).toBe(1)
  })

  it('finishes after a crash of the tab, sending only what is missing', async () => {
    const before = outside.tab()
    outside.told.hold = true
    const lost = before.queue.add(file('a.mp4', 6 * PART), 'public')
    lost.details.title = 'Kept'
    await until(() => outside.waiting.length === 4)
    before.queue.note(lost)
    for (const one of outside.waiting.slice(0, 3)) one.arrive()
    await until(() => outside.waiting.length === 6)
    before.crash()
    outside.told.hold = false

    const { queue } = outside.tab()
    await recall(queue, 'ann')
    const [item] = queue.items
    expect(item).toMatchObject({ phase: 'lost', sent: 3 * PART, details: { title: 'Kept' } })
    await queue.attach(item!, file('renamed.mp4', 6 * PART))
    await phase(item, 'done')
    expect(numbers(outside.puts)).toEqual([1, 2, 3, 4, 5, 6])
    expect(outside.told.completed[0]?.title).toBe('Kept')
  })

  it('goes on by itself where the file is still within reach', async () => {
    const before = outside.tab()
    outside.told.hold = true
    const chosen = file('a.mp4', 2 * PART)
    const handle = { kind: 'file' as const, getFile: () => Promise.resolve(chosen.file) }
    before.queue.add({ ...chosen, handle: null }, 'public')
    await until(() => outside.waiting.length === 2)
    before.crash()
    outside.told.hold = false
    const [id, record] = [...outside.records][0]!
    outside.records.set(id, { ...record, handle })
    const { queue } = outside.tab()
    await recall(queue, 'ann')
    await phase(queue.items[0], 'done')
  })

  it('refuses another file, and says so', async () => {
    const before = outside.tab()
    outside.told.hold = true
    before.queue.add(file('a.mp4', 2 * PART), 'public')
    await until(() => outside.waiting.length === 2)
    before.crash()
    const { queue } = outside.tab()
    await recall(queue, 'ann')
    const [item] = queue.items
    for (const wrong of [file('a.mp4', 2 * PART + 1), file('a.mp4', 2 * PART, 8)]) {
      await queue.attach(item!, wrong)
      expect(item).toMatchObject({ phase: 'lost', problem: { code: 'different_file' } })
    }
  })

  it('completes what had arrived whole when the tab crashed', async () => {
    const before = outside.tab()
    vi.spyOn(before.ports, 'complete').mockReturnValue(new Promise(() => undefined))
    const item = before.queue.add(file('a.mp4', 2 * PART), 'public')
    await phase(item, 'finishing')
    before.crash()
    const { queue } = outside.tab()
    await recall(queue, 'ann')
    expect(queue.items[0]?.phase).toBe('done')
    expect(outside.puts).toHaveLength(2)
  })

  it('leaves an upload to the tab that sends it, and offers it when that tab is gone', async () => {
    const first = outside.tab()
    outside.told.hold = true
    first.queue.add(file('a.mp4', 2 * PART), 'public')
    await until(() => outside.waiting.length === 2)
    const { queue } = outside.tab()
    await recall(queue, 'ann')
    await phase(queue.items[0], 'elsewhere')
    const again = queue.add(file('a.mp4', 2 * PART), 'public')
    expect(again).toBe(queue.items[0])
    first.crash()
    await phase(queue.items[0], 'lost')
    expect(outside.told.starts).toBe(1)
  })

  it('keeps the uploads of two people apart', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    queue.add(file('a.mp4', 500), 'public')
    await until(() => outside.waiting.length === 1)
    queue.enter('bob')
    expect(queue.items).toHaveLength(0)
    expect(outside.waiting[0]?.signal.aborted).toBe(true)
    expect((await outside.tab().ports.memory.recall('bob')).length).toBe(0)
    expect((await outside.tab().ports.memory.recall('ann')).length).toBe(1)
  })

  it('begins anew after a refusal, and never joins the upload that it gives up', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 500), 'public')
    await until(() => outside.waiting.length === 1)
    outside.waiting[0]?.fail(new Problem(404, 'internal', 'NoSuchUpload'))
    await phase(item, 'failed')
    outside.told.hold = false
    queue.retry(item)
    await phase(item, 'done')
    expect([...outside.uploads.values()].map(({ status }) => status)).toEqual(['aborted', 'completed'])
  })

  it('asks the store again when completing finds parts missing', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 2 * PART), 'public')
    await until(() => outside.waiting.length === 2)
    for (const one of outside.waiting) one.arrive()
    outside.uploads.get('upload-1')?.parts.pop()
    outside.told.hold = false
    await phase(item, 'done')
    expect(outside.puts).toHaveLength(3)
  })

  it('hears that an upload ended elsewhere', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 500), 'public')
    await until(() => outside.waiting.length === 1)
    await queue.hear('upload-1', 'expired', null)
    await nextTick()
    expect(item).toMatchObject({ phase: 'failed', problem: { code: 'upload_expired' } })
    expect(outside.waiting[0]?.signal.aborted).toBe(true)
  })

  it('cancels at the server, too', async () => {
    const { queue } = outside.tab()
    outside.told.hold = true
    const item = queue.add(file('a.mp4', 500), 'public')
    await until(() => outside.waiting.length === 1)
    queue.cancel(item)
    expect(queue.items).toHaveLength(0)
    await until(() => outside.uploads.get('upload-1')?.status === 'aborted')
    expect(outside.records.size).toBe(0)
  })
})
