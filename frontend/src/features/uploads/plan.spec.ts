import { describe, expect, it } from 'vitest'
import { checkFile, contentTypeOf, planParts, RateMeter, titleFrom } from './plan'

describe('planParts', () => {
  it('covers the file without gaps or overlaps', () => {
    for (const [size, part] of [[1, 10], [10, 10], [11, 10], [100, 7]] as const) {
      const parts = planParts(size, part)
      expect(parts[0]?.start).toBe(0)
      expect(parts.at(-1)?.end).toBe(size)
      parts.slice(1).forEach((next, index) => expect(next.start).toBe(parts[index]!.end))
      expect(parts.map(({ number }) => number)).toEqual(parts.map((_, index) => index + 1))
    }
  })
})

describe('checkFile', () => {
  const limits = { max_upload_size: 100, allowed_extensions: ['mp4', '.MOV'] }
  it('says what is wrong before a byte is sent', () => {
    expect(checkFile({ name: 'a.MP4', size: 5 }, limits)).toBeNull()
    expect(checkFile({ name: 'a.mov', size: 100 }, limits)).toBeNull()
    expect(checkFile({ name: 'a.mp4', size: 101 }, limits)).toBe('file_too_large')
    expect(checkFile({ name: 'a.mp4', size: 0 }, limits)).toBe('empty')
    expect(checkFile({ name: 'mp4', size: 5 }, limits)).toBe('file_type_not_allowed')
    expect(checkFile({ name: 'a.exe', size: 5 }, limits)).toBe('file_type_not_allowed')
  })
})

describe('names', () => {
  it('makes a title of a file name', () => {
    expect(titleFrom('My_holiday.2026.mp4')).toBe('My holiday 2026')
    expect(titleFrom('水車.mov')).toBe('水車')
    expect(titleFrom(`${'x'.repeat(150)}.mp4`)).toHaveLength(100)
  })
  it('declares one content type for a container, whatever the browser says', () => {
    expect(contentTypeOf({ name: 'a.mkv', type: '' })).toBe('video/x-matroska')
    expect(contentTypeOf({ name: 'a.ts', type: 'text/vnd.trolltech.linguist' })).toBe('video/mp2t')
  })
})

describe('RateMeter', () => {
  it('follows the last seconds only', () => {
    const meter = new RateMeter(4000)
    expect(meter.rate()).toBeNull()
    for (let second = 0; second <= 10; second += 1) meter.add(second * 100, second * 1000)
    expect(meter.rate()).toBeCloseTo(100)
    for (let second = 11; second <= 16; second += 1) meter.add(1000 + (second - 10) * 500, second * 1000)
    expect(meter.rate()).toBeCloseTo(500)
  })
})
