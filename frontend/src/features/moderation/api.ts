// Calls about reports, decisions and appeals.
import { send, sendPlain } from '@/api/client'
import type { AuditPage, CommentWord, CommentWordList, Decision, DecisionPage, DecisionRequest, ReportCaseDetail, ReportCasePage, ReportTarget, WordMode } from '@/api/types'

export interface Cursor {
  cursor?: string
}

export function listCases(params: Cursor & { state: 'open' | 'settled'; target?: ReportTarget }, signal?: AbortSignal): Promise<ReportCasePage> {
  return send({ url: '/admin/reports', params, signal })
}

export function getCase(id: string): Promise<ReportCaseDetail> {
  return send({ url: `/admin/reports/${encodeURIComponent(id)}` })
}

export function decide(data: DecisionRequest): Promise<Decision> {
  return send({ method: 'post', url: '/admin/decisions', data })
}

export function lift(id: string, note: string): Promise<Decision> {
  return send({ method: 'post', url: `/admin/decisions/${id}/lift`, data: { note } })
}

export function listAppeals(params: Cursor & { answered: boolean }, signal?: AbortSignal): Promise<DecisionPage> {
  return send({ url: '/admin/appeals', params, signal })
}

export function answerAppeal(id: string, accept: boolean, answer: string): Promise<Decision> {
  return send({ method: 'post', url: `/admin/appeals/${id}/answer`, data: { accept, answer } })
}

export function listAudit(params: Cursor, signal?: AbortSignal): Promise<AuditPage> {
  return send({ url: '/admin/audit', params, signal })
}

export function listOwnDecisions(params: Cursor, signal?: AbortSignal): Promise<DecisionPage> {
  return send({ url: '/decisions', params, signal })
}

export function appeal(id: string, body: string): Promise<Decision> {
  return send({ method: 'post', url: `/decisions/${id}/appeal`, data: { body } })
}

/** For those who cannot log in: by the token of the mail, or of the log-in that was refused. */
export function getSuspension(token: string): Promise<Decision> {
  return sendPlain({ method: 'post', url: '/suspension', data: { token } })
}

export function appealSuspension(token: string, body: string): Promise<Decision> {
  return sendPlain({ method: 'post', url: '/suspension/appeal', data: { token, body } })
}

export function listWords(): Promise<CommentWordList> {
  return send({ url: '/admin/words' })
}

export function addWord(text: string, mode: WordMode): Promise<CommentWord> {
  return send({ method: 'post', url: '/admin/words', data: { text, mode } })
}

export function removeWord(id: string): Promise<void> {
  return send({ method: 'delete', url: `/admin/words/${id}` })
}

/** What the list would do to a comment. */
export function tryWords(body: string): Promise<{ mode: WordMode | null }> {
  return send({ method: 'post', url: '/admin/words/try', data: { body } })
}
