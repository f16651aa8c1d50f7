import { expect, it } from 'vitest'
import { mostTelling } from './relatives'

it('puts what went wrong before what goes on, and what is over last, each from the oldest', () => {
  const states = ['completed', null, 'running', 'completed', 'discarded', 'waiting', 'running', 'on_the_moon']
  const links = states.map((state, index) => ({ id: String(index), kind: 'probe', state }))
  expect(mostTelling(links).map(({ id }) => id)).toEqual(['4', '2', '6', '5', '0', '3', '1', '7'])
})
