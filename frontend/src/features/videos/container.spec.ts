import { expect, it } from 'vitest'
import { containerName } from './container'

it('says one word for a family of containers', () => {
  expect(containerName('mov,mp4,m4a,3gp,3g2,mj2')).toBe('MP4')
  expect(containerName('matroska,webm')).toBe('MKV')
  expect(containerName('mpegts')).toBe('MPEG-TS')
  expect(containerName('avi')).toBe('AVI')
  expect(containerName(null)).toBeNull()
  expect(containerName('')).toBeNull()
})
