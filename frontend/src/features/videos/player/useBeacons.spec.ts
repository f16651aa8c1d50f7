import { describe, expect, it } from 'vitest'
import { Played } from './useBeacons'

describe('Played', () => {
  it('joins what follows, and tells seeks apart', () => {
    const played = new Played()
    for (const time of [0, 0.25, 0.5, 0.75]) played.look(time)
    for (const time of [60, 60.25]) played.look(time)
    played.look(10)
    expect(played.take()).toEqual([{ from: 0, to: 0.75 }, { from: 60, to: 60.25 }])
    played.look(10.5)
    expect(played.take()).toEqual([{ from: 10, to: 10.5 }])
    played.stop()
    expect(played.take()).toEqual([])
  })
})
