import { describe, expect, it } from 'vitest'
import { asList, countFilters, readFilters, UNFILTERED, writeFilters } from './searchFilters'

describe('filters in the address', () => {
  it('are read back as they were written', () => {
    const filters = { q: '台北 夜市', sort: 'views', duration: 'short', date: 'week', quality: 'hd', category: 'travel', tag: '夜市', owner: 'ann' } as const
    expect(readFilters(writeFilters(filters) as Record<string, string>)).toEqual(filters)
    expect(countFilters(filters)).toBe(6)
  })

  it('leave out what they cannot be', () => {
    const odd = { q: ['a', 'b'], sort: 'best', duration: '5', date: null, quality: '', category: 'x', tag: ' ', owner: undefined }
    expect(readFilters(odd as never)).toEqual({ q: '' })
    expect(countFilters(readFilters(odd as never))).toBe(0)
  })

  it('do not say the ordinary order and keep to the length that is accepted', () => {
    expect(writeFilters({ q: 'a', sort: 'relevance' })).toEqual({ q: 'a', sort: undefined })
    expect(readFilters({ q: `${'夜'.repeat(250)}` }).q).toHaveLength(200)
  })

  it('are all taken away at once', () => {
    const filters = readFilters({ q: 'a', sort: 'new', duration: 'short', date: 'week', quality: 'hd', category: 'travel', tag: 'b', owner: 'ann' })
    expect(countFilters({ ...filters, ...UNFILTERED })).toBe(0)
    expect(writeFilters({ ...filters, ...UNFILTERED })).toMatchObject({ q: 'a', sort: 'new' })
  })

  it('make a list of a tag or a category when there are no words', () => {
    expect(asList(readFilters({ tag: '夜市' }))).toEqual({ tag: '夜市', category: undefined, sort: 'new' })
    expect(asList(readFilters({ category: 'travel', sort: 'views', duration: 'short' }))).toEqual({ tag: undefined, category: 'travel', sort: 'views' })
    expect(asList(readFilters({ q: 'river', tag: '夜市' }))).toBeNull()
    expect(asList(readFilters({ owner: 'ann', duration: 'short' }))).toBeNull()
  })
})
