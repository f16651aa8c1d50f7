import { describe, expect, it } from 'vitest'
import { inviteOf, tokenOf } from './linkToken'

const TOKEN = 'Zm9vYmFyYmF6cXV4-_Zm9vYmFyYmF6cXV4'

describe('tokens of links', () => {
  it('are taken as they came', () => {
    expect(tokenOf(TOKEN)).toBe(TOKEN)
    expect(inviteOf(`#invite=${TOKEN}`)).toBe(TOKEN)
  })

  it('are not taken from anything else', () => {
    for (const query of [undefined, null, '', 'short', [TOKEN], `${TOKEN}<`, 'x'.repeat(201)]) expect(tokenOf(query)).toBe('')
    for (const hash of ['', '#', '#other=x', '#invite=']) expect(inviteOf(hash)).toBeUndefined()
  })
})
