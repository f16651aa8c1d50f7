import { describe, expect, it } from 'vitest'
import { emailFault, passwordFault, passwordStrength, usernameFault } from './credentials'

describe('credentials', () => {
  it('judges usernames as the server does', () => {
    expect(usernameFault('')).toBe('required')
    expect(usernameFault('ab')).toBe('usernameShort')
    expect(usernameFault('x'.repeat(51))).toBe('usernameLong')
    expect(usernameFault('ann smith')).toBe('usernameChars')
    expect(usernameFault('Ann.Smith_9-x')).toBeNull()
  })

  it('judges addresses and passwords', () => {
    expect(emailFault('ann')).toBe('emailInvalid')
    expect(emailFault('ann@example.org')).toBeNull()
    expect(passwordFault('short')).toBe('passwordShort')
    expect(passwordFault('violet harbour')).toBeNull()
  })

  it('calls a password weak that repeats itself or the name', () => {
    expect(passwordStrength('aaaaaaaaaaaaaaaa')).toBe(0)
    expect(passwordStrength('ann.smith-2026!', ['ann.smith'])).toBe(0)
    expect(passwordStrength('violet harbour 92 kettle')).toBe(3)
  })
})
