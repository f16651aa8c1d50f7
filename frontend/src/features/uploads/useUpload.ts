// The upload of this tab. It belongs to the application and not to a page: walking around does not stop it.
import { computed, reactive } from 'vue'
import { Problem } from '@/api/problem'
import type { FinishedPart, Video } from '@/api/types'
import * as api from './api'
import { contentTypeOf, RateMeter, titleFrom } from './plan'
import { Transfer } from './transfer'

/**
 * idle: no file; sending: bytes are moving; sent: all bytes are there, the person has not confirmed yet;
 * finishing: the server joins and checks; done: there is a video; failed: see `problem`.
 */
export type UploadPhase = 'idle' | 'sending' | 'sent' | 'finishing' | 'done' | 'failed'

interface UploadState {
  phase: UploadPhase
  file: { name: string; size: number } | null
  sent: number
  rate: number | null
  /** The person has confirmed the details: they are sent as soon as all bytes are there. */
  confirmed: boolean
  details: api.UploadDetails
  video: Video | null
  problem: Problem | null
}

const fresh = (): UploadState => ({
  phase: 'idle',
  file: null,
  sent: 0,
  rate: null,
  confirmed: false,
  details: { title: '', description: '', visibility: 'public' },
  video: null,
  problem: null,
})

const state = reactive<UploadState>(fresh())
let source: File | null = null
let transfer: Transfer | null = null
let parts: FinishedPart[] | undefined
let abort = new AbortController()
let meter = new RateMeter()
let lastSample = 0

const percent = computed(() => (state.file ? (state.file.size === 0 ? 100 : (state.sent / state.file.size) * 100) : 0))
const secondsLeft = computed(() => (state.rate && state.file ? (state.file.size - state.sent) / state.rate : null))
const busy = computed(() => state.phase === 'sending' || state.phase === 'sent' || state.phase === 'finishing')

/** Begins at once; the details can be filled in while the bytes move. */
function begin(file: File): Promise<void> {
  reset()
  source = file
  state.file = { name: file.name, size: file.size }
  state.details.title = titleFrom(file.name)
  return run()
}

async function run(): Promise<void> {
  if (!source) return
  const file = source
  const signal = (abort = new AbortController()).signal
  state.phase = 'sending'
  state.problem = null
  meter = new RateMeter()
  guardUnload(true)
  try {
    if (!transfer) {
      const content_type = contentTypeOf(file)
      const ticket = await api.startUpload({ filename: file.name, size: file.size, content_type })
      if (signal.aborted) return void api.abortUpload(ticket.upload_id).catch(() => undefined)
      transfer = new Transfer(file, ticket, { put: api.putBytes, sign: api.signParts, pause }, progress)
    }
    parts = await transfer.run(signal)
    if (signal.aborted) return
    state.sent = file.size
    state.phase = 'sent'
    if (state.confirmed) await finish()
  } catch (error) {
    if (!signal.aborted) fail(error)
  }
}

/** The person is happy with the details: complete as soon as the bytes are there. */
async function confirm(): Promise<void> {
  state.confirmed = true
  if (state.phase === 'sent') await finish()
}

async function finish(): Promise<void> {
  if (!transfer) return
  const signal = abort.signal
  state.phase = 'finishing'
  try {
    const { title, description, visibility } = state.details
    const details = { title: title.trim(), description: description.trim(), visibility }
    const video = await api.completeUpload(transfer.ticket.upload_id, details, parts)
    if (signal.aborted) return
    state.video = video
    state.phase = 'done'
    guardUnload(false)
  } catch (error) {
    if (!signal.aborted) fail(error)
  }
}

/** After a failure: sends what is missing, or asks again for completion. A refused upload begins anew. */
function retry(): Promise<void> {
  if ([403, 404, 409, 410, 422].includes(state.problem?.status ?? 0)) {
    transfer = null
    state.sent = 0
  }
  return run()
}

/** Stops, and tells the server to throw the parts away. */
function cancel(): void {
  const id = transfer?.ticket.upload_id
  reset()
  if (id !== undefined) void api.abortUpload(id).catch(() => undefined) // The sweep takes what stays behind.
}

/** Forgets the upload, ready for the next file. */
function reset(): void {
  abort.abort()
  guardUnload(false)
  source = transfer = null
  parts = undefined
  Object.assign(state, fresh())
}

function fail(error: unknown): void {
  state.problem = Problem.from(error)
  state.phase = 'failed'
  state.rate = null
  guardUnload(false)
}

function progress(sent: number): void {
  state.sent = sent
  const now = performance.now()
  if (now - lastSample < 200) return
  lastSample = now
  meter.add(sent, now)
  state.rate = meter.rate()
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true })
  })
}

function warn(event: BeforeUnloadEvent): void {
  event.preventDefault()
}

function guardUnload(on: boolean): void {
  if (on) window.addEventListener('beforeunload', warn)
  else window.removeEventListener('beforeunload', warn)
}

export function useUpload() {
  return { state, percent, secondsLeft, busy, begin, confirm, retry, cancel, reset }
}
