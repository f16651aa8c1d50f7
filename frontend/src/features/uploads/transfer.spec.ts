import { describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import type { UploadTicket } from '@/api/types'
import { Transfer, type TransferNews, type TransferPorts } from './transfer'

const MIB = 1024 * 1024

function multipart(size: number, partSize: number, signed: number): { file: Blob; ticket: UploadTicket } {
  const parts = Array.from({ length: signed }, (_, index) => ({ part_number: index + 1, url: `first/${index + 1}` }))
  const part_count = Math.ceil(size / partSize)
  return { file: new Blob([new Uint8Array(size)]), ticket: { upload_id: 'u', method: 'multipart', part_size: partSize, part_count, parts } }
}

function ports(put: TransferPorts['put']): TransferPorts & { sign: ReturnType<typeof vi.fn<TransferPorts['sign']>> } {
  const sign = vi.fn<TransferPorts['sign']>((_, numbers) => Promise.resolve({ parts: numbers.map((part_number) => ({ part_number, url: `again/${part_number}` })) }))
  return { put, sign, pause: () => Promise.resolve() }
}
const number = (url: string) => Number(url.split('/')[1])
const going = new AbortController().signal
const news = (some: Partial<TransferNews> = {}): TransferNews => ({ onProgress: () => undefined, onPart: () => undefined, onStall: () => undefined, ...some })

describe('Transfer', () => {
  it('sends all parts, at most four at a time', async () => {
    const { file, ticket } = multipart(7 * MIB + 5, MIB, 8)
    let atOnce = 0
    let most = 0
    const sizes = new Map<number, number>()
    const transfer = new Transfer(
      file,
      ticket,
      ports(async (url, body) => {
        most = Math.max(most, (atOnce += 1))
        await new Promise((resolve) => setTimeout(resolve)) // Lets the other lanes begin.
        sizes.set(number(url), body.size)
        atOnce -= 1
        return `"${number(url)}"`
      }),
      news(),
    )
    await transfer.run(going)
    expect(most).toBe(4)
    expect([...sizes.keys()].sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(sizes.get(8)).toBe(5)
  })

  it('tries a failed part again and counts its bytes once', async () => {
    const { file, ticket } = multipart(3 * MIB, MIB, 3)
    const seen: number[] = []
    let faults = 2
    const transfer = new Transfer(
      file,
      ticket,
      ports((url, body, _headers, onProgress) => {
        onProgress(body.size / 2)
        if (number(url) === 2 && faults-- > 0) return Promise.reject(new Problem(503, 'unavailable', 'slow down'))
        return Promise.resolve('"x"')
      }),
      news({ onProgress: (sent) => seen.push(sent) }),
    )
    await transfer.run(going)
    expect(seen.at(-1)).toBe(3 * MIB)
    expect(Math.max(...seen)).toBe(3 * MIB)
  })

  it('signs an expired address anew', async () => {
    const { file, ticket } = multipart(2 * MIB, MIB, 2)
    const used: string[] = []
    const outside = ports((url) => {
      used.push(url)
      return url === 'first/1' ? Promise.reject(new Problem(403, 'forbidden', 'expired')) : Promise.resolve('"x"')
    })
    await new Transfer(file, ticket, outside, news()).run(going)
    expect(used).toContain('again/1')
  })

  it('signs further parts in batches, never the same part twice', async () => {
    const { file, ticket } = multipart(50, 1, 4)
    const outside = ports(() => Promise.resolve('"x"'))
    await new Transfer(file, ticket, outside, news()).run(going)
    const asked = outside.sign.mock.calls.flatMap(([, numbers]) => numbers)
    expect(asked).toHaveLength(46)
    expect(new Set(asked).size).toBe(46)
    expect(outside.sign).toHaveBeenCalledTimes(3)
  })

  it('goes on where it failed, without sending finished parts again', async () => {
    const { file, ticket } = multipart(4 * MIB, MIB, 4)
    const sent = new Map<number, number>()
    let broken = true
    const outside = ports((url) => {
      const part = number(url)
      if (part === 4 && broken) return Promise.reject(new Problem(400, 'validation', 'no'))
      sent.set(part, (sent.get(part) ?? 0) + 1)
      return Promise.resolve('"x"')
    })
    const transfer = new Transfer(file, ticket, outside, news())
    await expect(transfer.run(going)).rejects.toMatchObject({ status: 400 })
    broken = false
    await transfer.run(going)
    expect([...sent.values()]).toEqual([1, 1, 1, 1])
  })

  it('stops when it is cancelled', async () => {
    const { file, ticket } = multipart(4 * MIB, MIB, 4)
    const abort = new AbortController()
    const outside = ports(
      (_url, _body, _headers, _progress, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Problem(0, 'aborted', 'aborted')))),
    )
    const run = new Transfer(file, ticket, outside, news()).run(abort.signal)
    abort.abort()
    await expect(run).rejects.toMatchObject({ code: 'aborted' })
  })

  it('sends a small file with the headers that were signed', async () => {
    const put = vi.fn<TransferPorts['put']>(() => Promise.resolve('"x"'))
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'one', headers: { 'content-type': 'video/mp4' } }
    await new Transfer(new Blob(['abc']), ticket, ports(put), news()).run(going)
    expect(put.mock.calls[0]?.slice(0, 3)).toEqual(['one', expect.any(Blob), { 'content-type': 'video/mp4' }])
  })

  it('takes a file that is there already for sent: the answer to an earlier try was lost', async () => {
    const put = vi
      .fn<TransferPorts['put']>()
      .mockRejectedValueOnce(new Problem(0, 'network', 'lost'))
      .mockRejectedValueOnce(new Problem(412, 'internal', 'precondition failed'))
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'one', headers: {} }
    const seen: number[] = []
    await new Transfer(new Blob(['abc']), ticket, ports(put), news({ onProgress: (sent) => seen.push(sent) })).run(going)
    expect(seen.at(-1)).toBe(3)
  })

  it('sends only what the store does not have', async () => {
    const { file, ticket } = multipart(5 * MIB, MIB, 5)
    const sent: number[] = []
    const seen: number[] = []
    const outside = ports((url) => {
      sent.push(number(url))
      return Promise.resolve('"x"')
    })
    await new Transfer(file, ticket, outside, news({ onProgress: (bytes) => seen.push(bytes) }), [1, 3, 4]).run(going)
    expect(sent.sort()).toEqual([2, 5])
    expect(seen[0]).toBe(3 * MIB)
    expect(seen.at(-1)).toBe(5 * MIB)
  })

  it('waits for a lost network however long it takes, and says so', async () => {
    const { file, ticket } = multipart(2 * MIB, MIB, 2)
    let silent = 40
    const stalls: boolean[] = []
    const outside = ports((_url, body, _headers, onProgress) => {
      if (silent-- > 0) return Promise.reject(new Problem(0, 'network', 'gone'))
      onProgress(body.size)
      return Promise.resolve('"x"')
    })
    await new Transfer(file, ticket, outside, news({ onStall: (stalled) => stalls.push(stalled) })).run(going)
    expect(stalls[0]).toBe(true)
    expect(stalls.at(-1)).toBe(false)
  })

  it('gives up on a store that keeps refusing', async () => {
    const { file, ticket } = multipart(MIB, MIB, 1)
    const put = vi.fn<TransferPorts['put']>(() => Promise.reject(new Problem(503, 'unavailable', 'slow down')))
    await expect(new Transfer(file, ticket, ports(put), news()).run(going)).rejects.toMatchObject({ status: 503 })
    expect(put).toHaveBeenCalledTimes(6)
  })

  it('tells a file that cannot be read from a lost network', async () => {
    const unreadable = { size: 10, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')), slice: () => unreadable.slice() }) }
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'one', headers: {} }
    const outside = ports(() => Promise.reject(new Problem(0, 'network', 'ERR_UPLOAD_FILE_CHANGED')))
    await expect(new Transfer(unreadable as unknown as Blob, ticket, outside, news()).run(going)).rejects.toMatchObject({ code: 'file_unreadable' })
  })

  it('signs a single address anew when it has expired', async () => {
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'old', headers: { a: '1' } }
    const used: unknown[] = []
    const outside = ports((url, _body, headers) => {
      used.push([url, headers])
      return url === 'old' ? Promise.reject(new Problem(403, 'internal', 'expired')) : Promise.resolve('"x"')
    })
    outside.sign.mockResolvedValue({ parts: [], url: 'new', headers: { a: '2' } })
    await new Transfer(new Blob(['abc']), ticket, outside, news()).run(going)
    expect(used).toEqual([['old', { a: '1' }], ['new', { a: '2' }]])
  })
})
