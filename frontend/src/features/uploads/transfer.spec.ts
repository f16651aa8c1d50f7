import { describe, expect, it, vi } from 'vitest'
import { Problem } from '@/api/problem'
import type { UploadTicket } from '@/api/types'
import { Transfer, type TransferPorts } from './transfer'

const MIB = 1024 * 1024

function multipart(size: number, partSize: number, signed: number): { file: Blob; ticket: UploadTicket } {
  const parts = Array.from({ length: signed }, (_, index) => ({ part_number: index + 1, url: `first/${index + 1}` }))
  const part_count = Math.ceil(size / partSize)
  return { file: new Blob([new Uint8Array(size)]), ticket: { upload_id: 'u', method: 'multipart', part_size: partSize, part_count, parts } }
}

function ports(put: TransferPorts['put']): TransferPorts & { sign: ReturnType<typeof vi.fn<TransferPorts['sign']>> } {
  const sign = vi.fn<TransferPorts['sign']>((_, numbers) => Promise.resolve(numbers.map((part_number) => ({ part_number, url: `again/${part_number}` }))))
  return { put, sign, pause: () => Promise.resolve() }
}
const number = (url: string) => Number(url.split('/')[1])
const going = new AbortController().signal

describe('Transfer', () => {
  it('sends all parts, at most three at a time, and lists them in order', async () => {
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
      () => undefined,
    )
    const parts = await transfer.run(going)
    expect(most).toBe(3)
    expect(sizes.get(8)).toBe(5)
    expect(parts).toEqual(Array.from({ length: 8 }, (_, index) => ({ part_number: index + 1, etag: `"${index + 1}"` })))
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
      (sent) => seen.push(sent),
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
    await new Transfer(file, ticket, outside, () => undefined).run(going)
    expect(used).toContain('again/1')
  })

  it('signs further parts in batches, never the same part twice', async () => {
    const { file, ticket } = multipart(50, 1, 4)
    const outside = ports(() => Promise.resolve('"x"'))
    await new Transfer(file, ticket, outside, () => undefined).run(going)
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
    const transfer = new Transfer(file, ticket, outside, () => undefined)
    await expect(transfer.run(going)).rejects.toMatchObject({ status: 400 })
    broken = false
    expect(await transfer.run(going)).toHaveLength(4)
    expect([...sent.values()]).toEqual([1, 1, 1, 1])
  })

  it('stops when it is cancelled', async () => {
    const { file, ticket } = multipart(4 * MIB, MIB, 4)
    const abort = new AbortController()
    const outside = ports(
      (_url, _body, _headers, _progress, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Problem(0, 'aborted', 'aborted')))),
    )
    const run = new Transfer(file, ticket, outside, () => undefined).run(abort.signal)
    abort.abort()
    await expect(run).rejects.toMatchObject({ code: 'aborted' })
  })

  it('sends a small file with the headers that were signed', async () => {
    const put = vi.fn<TransferPorts['put']>(() => Promise.resolve('"x"'))
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'one', headers: { 'content-type': 'video/mp4' } }
    expect(await new Transfer(new Blob(['abc']), ticket, ports(put), () => undefined).run(going)).toBeUndefined()
    expect(put.mock.calls[0]?.slice(0, 3)).toEqual(['one', expect.any(Blob), { 'content-type': 'video/mp4' }])
  })

  it('takes a file that is there already for sent: the answer to an earlier try was lost', async () => {
    const put = vi
      .fn<TransferPorts['put']>()
      .mockRejectedValueOnce(new Problem(0, 'network', 'lost'))
      .mockRejectedValueOnce(new Problem(412, 'internal', 'precondition failed'))
    const ticket: UploadTicket = { upload_id: 'u', method: 'single', url: 'one', headers: {} }
    const seen: number[] = []
    await new Transfer(new Blob(['abc']), ticket, ports(put), (sent) => seen.push(sent)).run(going)
    expect(seen.at(-1)).toBe(3)
  })
})
