import { describe, expect, it } from 'vitest'
import { check, seconds } from './chapters'

describe('seconds', () => {
  it('reads what people write', () => {
    expect(['0:00', '59', '4:05', '1:02:03', ' 12:00 '].map(seconds)).toEqual([0, 59, 245, 3723, 720])
    for (const other of ['', 'x', '1:60', '1:2:3:4', '-1:00', '1.5']) expect(seconds(other)).toBeNull()
  })
})

describe('check', () => {
  it('names the fault of each line', () => {
    const lines = [['0:05', 'a'], ['1:00', ''], ['0:30', 'c'], ['x', 'd'], ['20:00', 'e']].map(([time = '', title = '']) => ({ time, title }))
    expect(check(lines, 600)).toEqual(['notZero', 'noTitle', 'outOfOrder', 'badTime', 'afterEnd'])
    expect(check([{ time: '0:00', title: 'a' }, { time: '0:10', title: 'b' }], null)).toEqual([null, null])
  })
})
