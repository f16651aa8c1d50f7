import { expect, it } from 'vitest'
import { WatchTime } from './watchTime'

it('counts what was played, and neither pauses, nor seeks, nor sleep', () => {
  const time = new WatchTime()
  time.tick(0, true)
  time.tick(250, true)
  time.tick(500, false)
  time.tick(9_000, true)
  time.tick(9_250, true)
  time.tick(60_000, true) // The machine slept.
  time.tick(60_250, true)
  time.tick(60_000, true) // A clock that goes back is no time.
  expect(time.seconds).toBe(0.75)
})
