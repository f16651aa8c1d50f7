// Errors of the API (RFC 9457) as one class, so that pages can translate `code` and mark fields.
import { isAxiosError, isCancel } from 'axios'
import type { FieldError, ProblemBody } from './types'

export class Problem extends Error {
  readonly status: number
  /** A stable word, such as `username_taken`; `network` when no answer came, `aborted` when we gave up ourselves. */
  readonly code: string
  readonly fields: FieldError[]
  /** Seconds to wait, when the server said so. */
  readonly retryAfter: number | null
  /** Opens the page about one's suspension. */
  readonly appealToken: string | null

  constructor(status: number, code: string, message: string, fields: FieldError[] = [], retryAfter: number | null = null, appealToken: string | null = null) {
    super(message)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.fields = fields
    this.retryAfter = retryAfter
    this.appealToken = appealToken
  }

  /** Turns whatever was thrown into a problem. */
  static from(error: unknown): Problem {
    if (error instanceof Problem) return error
    if (isCancel(error)) return new Problem(0, 'aborted', 'aborted')
    if (!isAxiosError<Partial<ProblemBody>>(error)) return new Problem(0, 'internal', String(error))
    const answer = error.response
    if (!answer) return new Problem(0, 'network', error.message)
    const body = typeof answer.data === 'object' && answer.data !== null ? answer.data : {}
    const wait = Number(answer.headers['retry-after'])
    return new Problem(
      answer.status,
      body.code ?? (answer.status >= 500 ? 'unavailable' : 'internal'),
      body.detail ?? body.title ?? error.message,
      body.errors ?? [],
      Number.isFinite(wait) && wait > 0 ? wait : null,
      body.appeal_token ?? null,
    )
  }
}
