// What this browser remembers of unfinished uploads, so that a reload or a crash costs at most the parts in flight.
// The server's list of parts is the truth; this says which file it was, what the person wrote, and where the file lies.
import type { UploadDetails } from './api'
import type { Fingerprint } from './fingerprint'
import type { FileHandle } from './handles'

/** One unfinished upload. */
export interface Remembered extends Fingerprint {
  id: string
  user: string
  details: UploadDetails
  published: boolean
  /** Parts that had arrived when the page was last alive: for a first look, before the server has answered. */
  parts: number[]
  partSize: number | null
  /** Leads back to the file without choosing it again, where the browser has such things. */
  handle: FileHandle | null
}

export interface Memory {
  save(record: Remembered): Promise<void>
  /** Changes some fields; nothing happens when it is not known. */
  change(id: string, fields: Partial<Remembered>): Promise<void>
  forget(id: string): Promise<void>
  recall(user: string): Promise<Remembered[]>
}

/** Memory in IndexedDB. Where that is blocked (private windows), uploads work and are merely not remembered. */
export function browserMemory(): Memory {
  let opened: Promise<IDBDatabase> | null = null
  const open = () => {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open('millrace', 1)
      request.onupgradeneeded = () => request.result.createObjectStore('uploads', { keyPath: 'id' })
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error ?? new Error('IndexedDB is blocked'))
    })
    return opened
  }

  async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore, answer: (value: T) => void) => void): Promise<T | undefined> {
    try {
      const database = await open()
      return await new Promise<T | undefined>((resolve, reject) => {
        const transaction = database.transaction('uploads', mode)
        let result: T | undefined
        transaction.oncomplete = () => resolve(result)
        transaction.onabort = transaction.onerror = () => reject(transaction.error ?? new Error('aborted'))
        work(transaction.objectStore('uploads'), (value) => {
          result = value
        })
      })
    } catch {
      return undefined
    }
  }

  return {
    save: (record) => inStore<void>('readwrite', (store) => store.put(plain(record))),
    change: (id, fields) =>
      inStore<void>('readwrite', (store) => {
        const known = store.get(id)
        known.onsuccess = () => {
          if (known.result) store.put({ ...(known.result as Remembered), ...plain(fields) })
        }
      }),
    forget: (id) => inStore<void>('readwrite', (store) => store.delete(id)),
    recall: async (user) => {
      const all = await inStore<Remembered[]>('readonly', (store, answer) => {
        const request = store.getAll()
        request.onsuccess = () => answer(request.result as Remembered[])
      })
      return (all ?? []).filter((record) => record.user === user)
    },
  }
}

/** Reactive objects cannot be stored; handles must be, as they are. */
function plain<T extends Partial<Remembered>>(record: T): T {
  return { ...record, ...(record.details ? { details: { ...record.details } } : {}), ...(record.parts ? { parts: [...record.parts] } : {}) }
}
