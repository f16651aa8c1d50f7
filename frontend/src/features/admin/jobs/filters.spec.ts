import { describe, expect, it } from 'vitest'
import { fromQuery, type JobFilters, NO_FILTERS, readSearch, toQuery } from './filters'

const ID = '0192f0c1-7a2b-7c3d-8e4f-0123456789ab'

describe('filters in the address', () => {
  it('come back as they went', () => {
    const all: JobFilters = { states: ['running', 'discarded'], kind: 'probe', queue: 'media', tag: 'nightly', owner: ID, group: ID }
    for (const filters of [all, { ...NO_FILTERS, tag: 'a b' }, { ...NO_FILTERS }]) {
      const address = new URLSearchParams(toQuery(filters) as Record<string, string>)
      expect(fromQuery(Object.fromEntries(address))).toEqual(filters)
    }
  })

  it('leave nothing in the address that narrows nothing', () => {
    expect(toQuery(NO_FILTERS)).toEqual({})
  })

  it('are read with care: nonsense is left out, states are in the order of a life and once each', () => {
    expect(fromQuery({ state: 'discarded,nonsense,running,,running', owner: 'me', group: '1', kind: '  probe ' })).toEqual({ ...NO_FILTERS, states: ['running', 'discarded'], kind: 'probe' })
    expect(fromQuery({ kind: ['one', 'two'], queue: null })).toEqual({ ...NO_FILTERS, kind: 'one' })
  })
})

describe('what is typed into the search field', () => {
  it.each([
    [` ${ID.toUpperCase()} `, { job: ID }],
    ['probe', { filters: { kind: 'probe' } }],
    ['tag:nightly queue:media probe', { filters: { tag: 'nightly', queue: 'media', kind: 'probe' } }],
    [`owner:${ID}`, { filters: { owner: ID } }],
    ['tag:a:b', { filters: { tag: 'a:b' } }],
    ['mail:welcome', { filters: { kind: 'mail:welcome' } }],
    ['', { filters: {} }],
    ['owner:ann', { fault: 'owner', text: 'ann' }],
    ['group:7', { fault: 'group', text: '7' }],
    ['probe chunk', { fault: 'word', text: 'chunk' }],
  ])('understands %j', (typed, meant) => {
    expect(readSearch(typed)).toEqual(meant)
  })
})
