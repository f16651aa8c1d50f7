// Which tab sends an upload. Two tabs that send the same one would waste the line, and a tab that only watches must not
// ask for a file that another is sending. Web Locks end with their tab, however it ends.

export interface Ownership {
  /** True when no other tab sends this upload; then it is ours until `release`. */
  claim(id: string): Promise<boolean>
  release(id: string): void
  /** Resolves when the tab that sends it is gone. */
  freed(id: string): Promise<void>
}

const name = (id: string) => `millrace.upload.${id}`

export function browserOwnership(): Ownership {
  const releases = new Map<string, () => void>()
  // Without locks (insecure addresses) every tab takes what it is given.
  const locks = typeof navigator === 'undefined' ? undefined : (navigator.locks as LockManager | undefined)
  return {
    claim: (id) => {
      if (!locks || releases.has(id)) return Promise.resolve(true)
      return new Promise((resolve) => {
        void locks
          .request(name(id), { ifAvailable: true }, (lock) => {
            resolve(lock !== null)
            return lock && new Promise<void>((end) => releases.set(id, end))
          })
          .catch(() => resolve(true))
      })
    },
    release: (id) => {
      releases.get(id)?.()
      releases.delete(id)
    },
    freed: async (id) => {
      if (!releases.has(id)) await locks?.request(name(id), () => undefined)
    },
  }
}
