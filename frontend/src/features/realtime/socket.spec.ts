import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ClientFrame, Delivery, ServerFrame } from './frames'
import { Socket, type Wire } from './socket'

/** Plays the server's end of one connection. */
class FakeWire implements Wire {
  sent: ClientFrame[] = []
  closed = false
  onopen: (() => void) | null = null
  onmessage: ((event: { data: string }) => void) | null = null
  onclose: ((event: { code: number }) => void) | null = null
  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientFrame)
  }
  close(): void {
    this.closed = true
  }
  say(frame: ServerFrame): void {
    this.onmessage?.({ data: JSON.stringify(frame) })
  }
  of<T extends ClientFrame['type']>(type: T): Extract<ClientFrame, { type: T }>[] {
    return this.sent.filter((frame): frame is Extract<ClientFrame, { type: T }> => frame.type === type)
  }
}

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString()

describe('Socket', () => {
  let wires: FakeWire[]
  let tickets: number
  let states: boolean[]
  let socket: Socket
  const wire = () => wires.at(-1)!

  beforeEach(() => {
    vi.useFakeTimers()
    wires = []
    tickets = 0
    states = []
    socket = new Socket({
      connect: () => {
        wires.push(new FakeWire())
        return wire()
      },
      ticket: () => Promise.resolve(`ticket-${(tickets += 1)}`),
      onState: (up) => states.push(up),
      random: () => 1,
    })
  })
  afterEach(() => {
    socket.stop()
    vi.useRealTimers()
  })

  async function connect(): Promise<void> {
    await vi.advanceTimersByTimeAsync(0)
    wire().onopen?.()
    wire().say({ type: 'auth_ok', expires_at: inMinutes(10) })
  }
  async function drop(): Promise<void> {
    wire().onclose?.({ code: 1006 })
    await vi.advanceTimersByTimeAsync(60_000)
    await connect()
  }

  it('sends the ticket first and subscribes once it is accepted', async () => {
    socket.subscribe('video:1', () => undefined)
    socket.start()
    await vi.advanceTimersByTimeAsync(0)
    wire().onopen?.()
    expect(wire().sent).toEqual([{ type: 'auth', ticket: 'ticket-1' }])
    wire().say({ type: 'auth_ok', expires_at: inMinutes(10) })
    expect(wire().sent[1]).toEqual({ type: 'subscribe', topic: 'video:1' })
    expect(states).toEqual([true])
  })

  it('resumes from the last durable event after a lost connection', async () => {
    const seen: Delivery[] = []
    socket.subscribe('video:1', (delivery) => seen.push(delivery))
    socket.start()
    await connect()
    wire().say({ type: 'subscribed', topic: 'video:1', recovered: false })
    wire().say({ type: 'snapshot', topic: 'video:1', epoch: 'e', seq: 4, data: 'a' })
    wire().say({ type: 'event', topic: 'video:1', epoch: 'e', seq: 5, data: 'b' })
    wire().say({ type: 'event', topic: 'video:1', epoch: 'e', seq: 5, data: 'p', progress: { job: 'j', run_no: 1, n: 1 } })
    await drop()
    expect(states).toEqual([true, false, true])
    expect(wire().of('subscribe')).toEqual([{ type: 'subscribe', topic: 'video:1', since: { epoch: 'e', seq: 5 } }])
    wire().say({ type: 'subscribed', topic: 'video:1', recovered: true })
    wire().say({ type: 'event', topic: 'video:1', epoch: 'e', seq: 5, data: 'b again' })
    wire().say({ type: 'event', topic: 'video:1', epoch: 'e', seq: 6, data: 'c' })
    expect(seen.map(({ data }) => data)).toEqual(['a', 'b', 'p', 'c'])
  })

  it('asks for what is missing when events skip a number, and loses none', async () => {
    const seen: unknown[] = []
    socket.subscribe('user:1', ({ data }) => seen.push(data))
    socket.start()
    await connect()
    wire().say({ type: 'snapshot', topic: 'user:1', epoch: 'e', seq: 1, data: 1 })
    wire().say({ type: 'event', topic: 'user:1', epoch: 'e', seq: 3, data: 3 })
    wire().say({ type: 'event', topic: 'user:1', epoch: 'e', seq: 4, data: 4 })
    expect(wire().of('subscribe').at(-1)).toEqual({ type: 'subscribe', topic: 'user:1', since: { epoch: 'e', seq: 1 } })
    expect(wire().of('subscribe')).toHaveLength(2)
    wire().say({ type: 'subscribed', topic: 'user:1', recovered: true })
    for (const seq of [2, 3, 4, 5]) wire().say({ type: 'event', topic: 'user:1', epoch: 'e', seq, data: seq })
    expect(seen).toEqual([1, 2, 3, 4, 5])
  })

  it('waits longer after each failure', async () => {
    socket.start()
    const waits: number[] = []
    for (let round = 0; round < 4; round += 1) {
      await vi.advanceTimersByTimeAsync(0)
      const before = wires.length
      const start = Date.now()
      wire().onclose?.({ code: 1006 })
      while (wires.length === before) await vi.advanceTimersByTimeAsync(100)
      waits.push(Date.now() - start)
    }
    expect(waits).toEqual([500, 1000, 2000, 4000])
  })

  it('extends its right to listen before it ends, without subscribing again', async () => {
    socket.subscribe('video:1', () => undefined)
    socket.start()
    await connect()
    // The server answers pings meanwhile.
    for (let second = 0; second < 9 * 60 + 5; second += 5) {
      await vi.advanceTimersByTimeAsync(5000)
      if (wire().of('ping').length > 0) wire().say({ type: 'pong' })
    }
    expect(wires).toHaveLength(1)
    expect(wire().of('auth').map(({ ticket }) => ticket)).toEqual(['ticket-1', 'ticket-2'])
    wire().say({ type: 'auth_ok', expires_at: inMinutes(10) })
    expect(wire().of('subscribe')).toHaveLength(1)
  })

  it('takes a silent connection for dead', async () => {
    socket.start()
    await connect()
    const first = wire()
    await vi.advanceTimersByTimeAsync(25_000)
    expect(first.of('ping')).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(13_000)
    expect(first.closed).toBe(true)
    expect(states).toEqual([true, false])
  })

  it('forgets positions when it stops, so that the next person starts with a snapshot', async () => {
    socket.subscribe('user:1', () => undefined)
    socket.start()
    await connect()
    wire().say({ type: 'snapshot', topic: 'user:1', epoch: 'e', seq: 9, data: 1 })
    socket.stop()
    socket.start()
    await connect()
    expect(wire().of('subscribe')).toEqual([{ type: 'subscribe', topic: 'user:1' }])
  })
})
