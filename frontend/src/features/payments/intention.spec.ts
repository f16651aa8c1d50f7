import { beforeEach, describe, expect, it } from 'vitest'
import { forgetKey, keyFor } from './intention'

const tip = { item_type: 'tip', item_id: 'u1', amount: 5000, message: '' } as const

describe('the key of an intention', () => {
  beforeEach(() => sessionStorage.clear())

  it('stays through double clicks and reloads', () => {
    expect(keyFor(tip)).toBe(keyFor({ ...tip }))
  })

  it('is another one for another request', () => {
    const first = keyFor(tip)
    expect(keyFor({ ...tip, amount: 6000 })).not.toBe(first)
    expect(keyFor({ ...tip, item_id: 'u2' })).not.toBe(first)
  })

  it('is another one when the order has ended', () => {
    const first = keyFor(tip)
    forgetKey(tip)
    expect(keyFor(tip)).not.toBe(first)
  })

  it('survives what somebody else wrote there', () => {
    sessionStorage.setItem('millrace.pay.tip.u1', '{')
    expect(keyFor(tip)).toMatch(/^[\x21-\x7e]{1,100}$/)
  })
})
