import { expect, it } from 'vitest'
import { embedCode, linkTo, startOf } from './share'

it('reads the times that links carry', () => {
  expect(['83', '83s', '1m23s', '1h', '1h2m3s'].map(startOf)).toEqual([83, 83, 83, 3600, 3723])
  expect(['', 'x', '-5', '1:23', '1e9', undefined, ['5']].map(startOf)).toEqual([null, null, null, null, null, null, null])
})

it('writes links and code that a title cannot break', () => {
  expect(linkTo('https://example.org', 'a', 0)).toBe('https://example.org/videos/a')
  expect(linkTo('https://example.org', 'a', 5)).toBe('https://example.org/videos/a?t=5')
  const code = embedCode('https://example.org', 'a', '"><script>', 5)
  expect(code).toContain('title="&quot;>&lt;script>"')
  const frame = new DOMParser().parseFromString(code, 'text/html').querySelector('iframe')
  expect(frame?.getAttribute('src')).toBe('https://example.org/embed/a?t=5')
})
