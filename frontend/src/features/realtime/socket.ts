// The one socket of the application: log-in by ticket, topics with resume, reconnects, renewal before the ticket ends.
// It knows no video: it hands snapshots and events to whoever subscribed.
import type { ClientFrame, Delivery, Position, ServerFrame } from './frames'

/** The part of `WebSocket` that is used, so that a test can play the server. */
export interface Wire {
  send(text: string): void
  close(code?: number): void
  onopen: (() => void) | null
  onmessage: ((event: { data: string }) => void) | null
  onclose: ((event: { code: number }) => void) | null
}

export interface SocketOptions {
  connect: () => Wire
  /** A single-use ticket for the `auth` frame. Rejects when the person is logged out or the server is away. */
  ticket: () => Promise<string>
  /** Called when the connection comes (true) and goes (false). */
  onState?: (up: boolean) => void
  random?: () => number
}

type Listener = (delivery: Delivery) => void

interface Topic {
  listeners: Set<Listener>
  position: Position | null
  /** Set while we wait for missed events, so that one gap asks once. */
  catchingUp: boolean
}

const PING_EVERY_MS = 25_000
const SILENCE_MS = 12_000
/** The server was too busy to answer for a topic. */
const ASK_AGAIN_MS = 3000
const FIRST_RETRY_MS = 500
const LONGEST_RETRY_MS = 30_000
/** The right to listen is renewed this long before it ends. */
const EXTEND_BEFORE_MS = 60_000

export class Socket {
  private readonly options: SocketOptions
  private readonly topics = new Map<string, Topic>()
  private wire: Wire | null = null
  private authed = false
  private wanted = false
  private failures = 0
  private retryTimer?: ReturnType<typeof setTimeout>
  private pingTimer?: ReturnType<typeof setTimeout>
  private silenceTimer?: ReturnType<typeof setTimeout>
  private extendTimer?: ReturnType<typeof setTimeout>

  constructor(options: SocketOptions) {
    this.options = options
  }

  /** Connects, and keeps connecting until `stop`. */
  start(): void {
    if (this.wanted) return
    this.wanted = true
    this.failures = 0
    void this.open()
  }

  /** Disconnects and forgets the positions: the next person must not resume the topics of the last. */
  stop(): void {
    this.wanted = false
    clearTimeout(this.retryTimer)
    this.drop(1000)
    for (const topic of this.topics.values()) topic.position = null
  }

  /** Tries at once instead of at the end of the pause; for "the network is back" and "the tab is visible again". */
  hurry(): void {
    if (!this.wanted || this.wire || this.retryTimer === undefined) return
    clearTimeout(this.retryTimer)
    this.failures = 0
    void this.open()
  }

  /** Listens to a topic; the returned function ends it. */
  subscribe(name: string, listener: Listener): () => void {
    let topic = this.topics.get(name)
    if (!topic) {
      topic = { listeners: new Set(), position: null, catchingUp: false }
      this.topics.set(name, topic)
    } else {
      // A second listener has seen nothing yet: a fresh snapshot serves both, for views of state are idempotent.
      topic.position = null
    }
    topic.listeners.add(listener)
    if (this.authed) this.ask(name, topic)
    const joined = topic
    return () => {
      joined.listeners.delete(listener)
      if (joined.listeners.size > 0 || this.topics.get(name) !== joined) return
      this.topics.delete(name)
      if (this.authed) this.put({ type: 'unsubscribe', topic: name })
    }
  }

  private async open(): Promise<void> {
    this.retryTimer = undefined
    let ticket: string
    try {
      ticket = await this.options.ticket()
    } catch {
      this.retry()
      return
    }
    if (!this.wanted || this.wire) return
    const wire = this.options.connect()
    this.wire = wire
    wire.onopen = () => {
      this.put({ type: 'auth', ticket })
      this.watchSilence()
    }
    wire.onmessage = (event) => {
      if (this.wire === wire) this.receive(JSON.parse(event.data) as ServerFrame)
    }
    wire.onclose = () => {
      if (this.wire !== wire) return
      this.drop()
      this.retry()
    }
  }

  private retry(): void {
    if (!this.wanted) return
    const random = this.options.random ?? Math.random
    const ceiling = Math.min(FIRST_RETRY_MS * 2 ** this.failures, LONGEST_RETRY_MS)
    this.failures += 1
    // Full jitter above a floor: a restarted server is not hit by all tabs in the same moment.
    this.retryTimer = setTimeout(() => void this.open(), ceiling * (0.3 + 0.7 * random()))
  }

  private drop(code?: number): void {
    for (const timer of [this.pingTimer, this.silenceTimer, this.extendTimer]) clearTimeout(timer)
    const wire = this.wire
    const wasUp = this.authed
    this.wire = null
    this.authed = false
    if (wire) {
      wire.onclose = wire.onmessage = wire.onopen = null
      wire.close(code)
    }
    if (wasUp) this.options.onState?.(false)
  }

  private receive(frame: ServerFrame): void {
    clearTimeout(this.silenceTimer)
    clearTimeout(this.pingTimer)
    this.pingTimer = setTimeout(() => {
      this.put({ type: 'ping' })
      this.watchSilence()
    }, PING_EVERY_MS)
    switch (frame.type) {
      case 'auth_ok':
        this.welcome(frame.expires_at)
        return
      case 'snapshot':
      case 'event':
        this.deliver(frame)
        return
      case 'error':
        this.complain(frame.code, frame.topic)
        return
      case 'subscribed': {
        const topic = this.topics.get(frame.topic)
        if (topic && !frame.recovered) topic.position = null
        if (topic) topic.catchingUp = false
      }
    }
  }

  private welcome(expiresAt: string): void {
    const left = Date.parse(expiresAt) - Date.now()
    clearTimeout(this.extendTimer)
    this.extendTimer = setTimeout(() => void this.extend(), Math.max(left - EXTEND_BEFORE_MS, left / 2, 1000))
    if (this.authed) return
    this.authed = true
    this.failures = 0
    this.options.onState?.(true)
    for (const [name, topic] of this.topics) this.ask(name, topic)
  }

  private async extend(): Promise<void> {
    const wire = this.wire
    try {
      const ticket = await this.options.ticket()
      if (wire && this.wire === wire) this.put({ type: 'auth', ticket })
    } catch {
      // The server closes the connection when the time is up, and the ordinary reconnect takes over.
    }
  }

  private ask(name: string, topic: Topic): void {
    this.put({ type: 'subscribe', topic: name, ...(topic.position ? { since: topic.position } : {}) })
  }

  private deliver(frame: Extract<ServerFrame, { type: 'snapshot' | 'event' }>): void {
    const topic = this.topics.get(frame.topic)
    if (!topic) return
    const at = topic.position
    const durable = frame.type === 'event' && !frame.progress
    if (durable && at && at.epoch === frame.epoch) {
      if (frame.seq <= at.seq) return // Seen already.
      if (frame.seq > at.seq + 1) {
        // Something is missing between: ask for what came after the last one we have. This one comes again with it.
        if (!topic.catchingUp) this.ask(frame.topic, topic)
        topic.catchingUp = true
        return
      }
    }
    if (frame.type === 'snapshot' || durable) topic.position = { epoch: frame.epoch, seq: frame.seq }
    const delivery: Delivery = { kind: frame.type, data: frame.data }
    if (frame.type === 'event' && frame.progress) delivery.progress = frame.progress
    for (const listener of [...topic.listeners]) listener(delivery)
  }

  private complain(code: string, name?: string): void {
    if (name === undefined) {
      if (code === 'unauthenticated') {
        this.drop(1000)
        this.retry()
      }
      return
    }
    if (code === 'not_found' || code === 'forbidden') {
      // The topic is gone or not for us: asking again would only repeat the answer.
      this.topics.delete(name)
      return
    }
    setTimeout(() => {
      const topic = this.topics.get(name)
      if (topic && this.authed) this.ask(name, topic)
    }, ASK_AGAIN_MS)
  }

  private watchSilence(): void {
    clearTimeout(this.silenceTimer)
    this.silenceTimer = setTimeout(() => {
      this.drop(4000)
      this.retry()
    }, SILENCE_MS)
  }

  private put(frame: ClientFrame): void {
    this.wire?.send(JSON.stringify(frame))
  }
}
