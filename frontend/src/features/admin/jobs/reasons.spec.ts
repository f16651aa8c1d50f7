import { expect, it } from 'vitest'
import type { Why } from '@/api/types'
import en from '../texts.en'
import zh from '../texts.zh-TW'
import { sentence } from './reasons'

const ID = '0192f0c1-7a2b-7c3d-8e4f-0123456789ab'
const AT = '2026-11-23T05:15:24.123456+00:00'
const why = (code: string, params: unknown): Why => ({ code, detail: 'It is so.', params }) as Why

/** What the server says about each reason. */
const REASONS: Why[] = [
  why('cancelling', { requested_at: AT, delivered_at: null, reason: 'enough' }),
  why('cancelling', { requested_at: AT, delivered_at: AT, reason: null }),
  why('lease_expired', { until: AT }),
  why('dependency', { pending: 7, jobs: [{ id: ID, kind: 'probe', state: 'running' }, { id: ID, kind: null, state: null }] }),
  why('backoff', { attempt: 2, max_attempts: 5, at: AT }),
  why('run_at', { at: AT }),
  why('queue_paused', { queue: 'media', since: AT, by: null, note: null }),
  why('queue_paused', { queue: 'media', since: AT, by: 'ann', note: 'until ten' }),
  why('kind_paused', { kind: 'probe', since: AT, by: null, note: null }),
  why('kind_paused', { kind: 'probe', since: AT, by: 'ann', note: null }),
  why('no_worker', { queue: 'media', kind: 'probe' }),
  why('queue_limit', { queue: 'media', running: 2, limit: 2 }),
  why('kind_limit', { kind: 'probe', running: 2, limit: 2 }),
  why('key_limit', { key: 'user:1', running: 1, limit: 1 }),
  why('rate', { key: 'mail:x', started: 5, limit: 5, period_ms: 60_000, at: AT }),
  why('in_line', { ahead: 1000, more: true }),
  why('in_line', { ahead: 0, more: false }),
]

it('says every reason, in both languages, with all that the sentence names', () => {
  const said = REASONS.map((reason) => sentence(reason))
  expect(said.map((found) => found?.key)).toEqual(Object.keys(en.admin.whyText))
  for (const found of said) {
    const names = Object.keys(found?.parts ?? {}).sort()
    for (const texts of [en, zh]) {
      const forms = texts.admin.whyText[found?.key ?? 'run_at'].split(' | ')
      for (const form of forms) expect([...form.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort()).toEqual(names)
    }
  }
})

it('knows moments, jobs and numbers from words', () => {
  expect(sentence(why('rate', { key: '2026-11-23', started: 5, limit: 5, period_ms: 60_000, at: AT }))?.parts).toEqual({ started: { count: 5, orMore: false }, key: { text: '2026-11-23' }, period_ms: { span: 60_000 }, at: { at: AT } })
  const waits = sentence(why('dependency', { pending: 7, jobs: [{ id: ID, kind: 'probe', state: 'running' }] }))
  expect([waits?.plural, waits?.parts.jobs]).toEqual([7, { jobs: [{ id: ID, kind: 'probe' }], more: 6 }])
  expect(sentence(why('in_line', { ahead: 1000, more: true }))?.parts.ahead).toEqual({ count: 1000, orMore: true })
})

it('keeps what people wrote apart', () => {
  expect(sentence(REASONS[0] ?? why('', {}))?.note).toBe('enough')
  expect(sentence(REASONS[7] ?? why('', {}))?.note).toBe('until ten')
})

it('leaves to the server what it does not know', () => {
  expect(sentence(why('moon_phase', { phase: 'full' }))).toBeNull()
  expect(sentence(why('run_at', {}))).toBeNull()
  expect(sentence(why('run_at', { at: 'soon' }))).toBeNull()
  expect(sentence(why('no_worker', null))).toBeNull()
})
