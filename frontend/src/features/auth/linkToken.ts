// The token of a link that came by mail.

/** Empty for what is none. */
export function tokenOf(query: unknown): string {
  return typeof query === 'string' && /^[\w-]{20,200}$/.test(query) ? query : ''
}

/** That of an invitation, which is in the fragment: browsers send that to nobody. */
export function inviteOf(hash: string): string | undefined {
  return tokenOf(new URLSearchParams(hash.replace(/^#/, '')).get('invite')) || undefined
}
