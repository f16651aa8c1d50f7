// Who may do what: each role includes those before it.
import type { User } from '@/api/types'

export type Role = User['role']
const ORDER: readonly Role[] = ['user', 'auditor', 'operator', 'admin']

/** Whether somebody has this role or one above it. */
export function atLeast(user: Pick<User, 'role'> | null, role: Role): boolean {
  return user !== null && ORDER.indexOf(user.role) >= ORDER.indexOf(role)
}
