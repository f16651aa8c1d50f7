// Ties the socket to the session: it is open while somebody is logged in. Pages see `up` and `stale`.
import { reactive, readonly, watch } from 'vue'
import { send } from '@/api/client'
import type { SocketTicket } from '@/api/types'
import { useSession } from '@/features/auth/session'
import type { Delivery } from './frames'
import { Socket, type Wire } from './socket'

/** Down for this long counts as stale: pages start to poll and say so. */
const STALE_AFTER_MS = 5000

const state = reactive({ up: false, stale: false })
let staleTimer: ReturnType<typeof setTimeout> | undefined

const socket = new Socket({
  connect: () => new WebSocket(`${location.origin.replace(/^http/, 'ws')}/api/ws`) as Wire,
  ticket: async () => {
    const answer = await send<SocketTicket>({ method: 'post', url: '/ws/tickets' })
    return answer.ticket
  },
  onState: (up) => {
    state.up = up
    if (up) settle()
    else waitForStale()
  },
})

/** Whether live news arrives. `stale` is true when it has not for some seconds although it should. */
export const connection = readonly(state)

/** Listens to a topic; call the returned function to end it. */
export function subscribe(topic: string, listener: (delivery: Delivery) => void): () => void {
  return socket.subscribe(topic, listener)
}

/** Opens the socket with the session and closes it with it; called once at start. */
export function startConnection(): void {
  const session = useSession()
  watch(
    () => session.user?.id,
    (id) => {
      socket.stop()
      state.up = false
      settle()
      if (id === undefined) return
      socket.start()
      waitForStale()
    },
    { immediate: true },
  )
  window.addEventListener('online', () => socket.hurry())
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') socket.hurry()
  })
}

function waitForStale(): void {
  clearTimeout(staleTimer)
  staleTimer = setTimeout(() => {
    state.stale = !state.up
  }, STALE_AFTER_MS)
}

function settle(): void {
  clearTimeout(staleTimer)
  state.stale = false
}
