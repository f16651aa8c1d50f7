// What a reload, a crash or another browser left unfinished: listed, and gone on with where nobody need be asked.
import type { Upload } from '@/api/types'
import { Problem } from '@/api/problem'
import type { Fingerprint } from './fingerprint'
import type { UploadItem } from './item'
import type { Remembered } from './memory'
import { patiently } from './patience'
import { sizeOfParts, titleFrom } from './plan'
import type { UploadQueue } from './queue'

/** Lists the unfinished uploads of the person. The server says which there are, this browser what it knows of them. */
export async function recall(queue: UploadQueue, user: string): Promise<void> {
  const { ports } = queue
  const known = await ports.memory.recall(user)
  if (queue.user !== user) return
  for (const record of known) lay(queue, record.id, record, record)
  const here = () => queue.user === user
  const pending = await listed(queue, here)
  if (!here()) return
  for (const { id, filename, size, received_bytes } of pending ?? []) {
    const item = lay(queue, id, { name: filename, size, modified: null, sample: null }, null)
    if (item.phase === 'lost') item.sent = received_bytes ?? item.sent
  }
  await Promise.all(queue.rows.in('lost').map((item) => goOn(queue, item)))
}

async function listed(queue: UploadQueue, here: () => boolean): Promise<Upload[] | null> {
  const stop = new AbortController()
  const pause = async (ms: number, signal: AbortSignal) => {
    await queue.ports.pause(ms, signal)
    if (!here()) stop.abort()
  }
  return patiently(queue.ports.list, { signal: stop.signal, pause, onStall: () => undefined }).catch(() => null)
}

/** The row of an unfinished upload, made if there is none. */
function lay(queue: UploadQueue, id: string, { name, size, modified, sample }: Fingerprint, record: Remembered | null): UploadItem {
  const there = queue.rows.of(id)
  if (there) return there
  const details = record ? { ...record.details } : { title: titleFrom(name), description: '', visibility: 'public' as const }
  const sent = record?.partSize ? sizeOfParts(record.parts, size, record.partSize) : 0
  const row = { id, name, size, sent, details, phase: 'lost' as const, published: record?.published ?? false, reachable: Boolean(record?.handle) }
  return queue.rows.put(row, { print: { name, size, modified, sample }, handle: record?.handle ?? null })
}

/** Another tab may be sending it; it may have ended; the file may be within reach; nothing at all may be missing. */
async function goOn(queue: UploadQueue, item: UploadItem): Promise<void> {
  const { ports } = queue
  const id = item.id ?? ''
  if (!(await ports.ownership.claim(id))) {
    void queue.yield(item, id).then((free) => (free ? goOn(queue, item) : undefined))
    return
  }
  ports.ownership.release(id)
  const known = queue.rows.work(item).print.modified !== null
  if (!known) return // Another browser began it, and may be at it.
  const upload = await ports.look(id).catch((error: unknown) => (Problem.from(error).status === 404 ? null : undefined))
  if (item.phase !== 'lost') return
  if (upload === null || (upload && upload.status !== 'pending')) {
    void ports.memory.forget(id)
    queue.remove(item)
    return
  }
  if (upload) item.sent = upload.received_bytes ?? item.sent
  if (upload && upload.received_bytes === upload.size) return complete(queue, item, id)
  await queue.reattach(item, false)
}

/** All bytes had arrived before the tab went. */
async function complete(queue: UploadQueue, item: UploadItem, id: string): Promise<void> {
  try {
    await queue.finish(item, true)
  } catch (error) {
    const problem = Problem.from(error)
    if (problem.code !== 'upload_over') return queue.fail(item, problem)
    void queue.ports.memory.forget(id) // It was given up elsewhere in this moment.
    queue.remove(item)
  }
}
