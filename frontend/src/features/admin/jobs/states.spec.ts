import { expect, it } from 'vitest'
import { allowed, STATES } from './states'

it('offers in each state what the server does in it', () => {
  expect(Object.fromEntries(STATES.map((state) => [state, allowed({ state, cancelling: false }).join(' ')]))).toEqual({
    waiting: 'cancel discard',
    scheduled: 'retry cancel discard',
    available: 'cancel discard',
    running: 'cancel discard',
    retryable: 'retry cancel discard',
    completed: '',
    cancelled: 'retry',
    discarded: 'retry',
    quarantined: 'retry',
  })
  expect(allowed({ state: 'running', cancelling: true })).toEqual(['discard'])
})
