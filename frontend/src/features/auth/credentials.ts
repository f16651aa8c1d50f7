// The rules for names, addresses and passwords, as the server has them, so that a form can say it before sending.

/** The key of the fault of a username under `auth.`, or null. */
export function usernameFault(name: string): 'required' | 'usernameShort' | 'usernameLong' | 'usernameChars' | null {
  if (name === '') return 'required'
  if (name.length < 3) return 'usernameShort'
  if (name.length > 50) return 'usernameLong'
  return /^[A-Za-z0-9_.-]+$/.test(name) ? null : 'usernameChars'
}

export function emailFault(email: string): 'required' | 'emailInvalid' | null {
  if (email === '') return 'required'
  return /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(email) ? null : 'emailInvalid'
}

export const PASSWORD_MIN = 8

export function passwordFault(password: string): 'required' | 'passwordShort' | null {
  if (password === '') return 'required'
  return [...password].length < PASSWORD_MIN ? 'passwordShort' : null
}

/** A rough guess from 0 (weak) to 3 (strong): length counts most, then variety; the server's check decides. */
export function passwordStrength(password: string, personal: readonly string[] = []): 0 | 1 | 2 | 3 {
  const lower = password.toLowerCase()
  const borrowed = personal.some((word) => word.length >= 3 && lower.includes(word.toLowerCase()))
  const distinct = new Set(password).size
  if ([...password].length < PASSWORD_MIN || distinct < 5 || borrowed) return 0
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z\d]/].filter((kind) => kind.test(password)).length
  const score = password.length + kinds * 2 + Math.min(distinct, 12) / 2
  return score >= 26 ? 3 : score >= 20 ? 2 : 1
}
