import { expect, it } from 'vitest'
import { atLeast } from './roles'

it('lets each role do what those before it may', () => {
  expect((['user', 'auditor', 'operator', 'admin'] as const).map((role) => atLeast({ role }, 'operator'))).toEqual([false, false, true, true])
  expect(atLeast(null, 'user')).toBe(false)
})
