import { describe, expect, it } from 'vitest'
import { at, readStoryboard } from './storyboard'

const LIST = `WEBVTT

00:00:00.000 --> 00:00:01.500
board/0.jpg#xywh=0,0,160,90

01:00:01.500 --> 01:00:03.000
board/1.jpg#xywh=160,90,160,90

00:00:09.000 --> 00:00:10.000
no place
`

describe('readStoryboard', () => {
  it('finds sheets beside the list', () => {
    const shots = readStoryboard(LIST, 'http://localhost/api/hls/token/storyboard.vtt')
    expect(shots).toEqual([
      { from: 0, url: 'http://localhost/api/hls/token/board/0.jpg', x: 0, y: 0, width: 160, height: 90 },
      { from: 3601.5, url: 'http://localhost/api/hls/token/board/1.jpg', x: 160, y: 90, width: 160, height: 90 },
    ])
    expect(readStoryboard('<html>', 'http://localhost/')).toEqual([])
  })
})

describe('at', () => {
  it('is the last that has begun', () => {
    const entries = [0, 10, 20]
    const found = [-1, 0, 9.9, 10, 15, 20, 99].map((time) => at(entries, time, (entry) => entry))
    expect(found).toEqual([null, 0, 0, 10, 10, 20, 20])
    expect(at([], 5, Number)).toBeNull()
  })
})
