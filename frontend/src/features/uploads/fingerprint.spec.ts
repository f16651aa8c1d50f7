import { describe, expect, it } from 'vitest'
import { isSameFile, looksLike, nameOf, sampleOf } from './fingerprint'

const bytes = (size: number, change?: number) => {
  const content = new Uint8Array(size)
  if (change !== undefined) content[change] = 1
  return content
}
const file = (name: string, size: number, lastModified = 5, change?: number) => new File([bytes(size, change)], name, { lastModified })

describe('fingerprint', () => {
  it('tells files of one size and date apart by their beginning, middle and end', async () => {
    const size = 400_000
    const known = await sampleOf(file('a', size))
    expect(known).toMatch(/^[0-9a-f]{64}$/)
    for (const change of [0, size / 2, size - 1]) expect(await sampleOf(file('a', size, 5, change))).not.toBe(known)
  })

  it('knows a renamed file again, and not one that was changed', async () => {
    const original = file('a.mp4', 300_000)
    const print = { name: 'a.mp4', size: original.size, modified: 5, sample: await sampleOf(original) }
    expect(await isSameFile(print, file('b.mp4', 300_000))).toBe(true)
    expect(await isSameFile(print, file('a.mp4', 300_000, 6))).toBe(false)
    expect(await isSameFile(print, file('a.mp4', 300_001))).toBe(false)
    expect(await isSameFile(print, file('a.mp4', 300_000, 5, 0))).toBe(false)
  })

  it('goes by name and size where nothing else is known', () => {
    const print = { name: 'a.mp4', size: 10, modified: null, sample: null }
    expect(looksLike(print, file('a.mp4', 10))).toBe(true)
    expect(looksLike(print, file('b.mp4', 10))).toBe(false)
  })

  it('gives the server a name of visible ASCII, whatever the file is called', () => {
    const name = nameOf({ name: `水車 ${'長'.repeat(90)}.mp4`, size: 10, modified: 5, sample: null })
    expect(name).toMatch(/^[\x21-\x7e]{1,200}$/)
    expect(nameOf({ name: 'a', size: 10, modified: 5, sample: 'f'.repeat(64) })).toBe(`10:5:${'f'.repeat(64)}`)
  })
})
