import { expect, it } from 'vitest'
import { pieces } from './pieces'

const short = (body: string, longest?: number) =>
  pieces(body, longest).map((piece) => (piece.kind === 'text' ? piece.text : piece.kind === 'time' ? piece.seconds : `<${piece.href}>`))

it('finds times and links among words', () => {
  expect(short('At 1:05 and 1:02:03!')).toEqual(['At ', 65, ' and ', 3723, '!'])
  expect(short('See https://example.org/a?b=1. Fine')).toEqual(['See ', '<https://example.org/a?b=1>', '. Fine'])
  expect(short('plain')).toEqual(['plain'])
})

it('leaves alone what only looks like one', () => {
  expect(short('score 12:345, 1:2:3:4, javascript:alert(1)')).toEqual(['score 12:345, 1:2:3:4, javascript:alert(1)'])
  expect(short('at 9:59', 60)).toEqual(['at 9:59'])
})
