// Every code that the server can give has a sentence in every language. The sources are read, so that a new code that
// nobody translated fails here and not before a person.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import enAdmin from '../src/features/admin/texts.en'
import zhAdmin from '../src/features/admin/texts.zh-TW'
import enAccount from '../src/features/auth/texts.en'
import zhAccount from '../src/features/auth/texts.zh-TW'
import enComments from '../src/features/comments/texts.en'
import zhComments from '../src/features/comments/texts.zh-TW'
import enModeration from '../src/features/moderation/texts.en'
import zhModeration from '../src/features/moderation/texts.zh-TW'
import enPayments from '../src/features/payments/texts.en'
import zhPayments from '../src/features/payments/texts.zh-TW'
import en from '../src/i18n/en'
import zh from '../src/i18n/zh-TW'

function sources(crate: string): string {
  const folder = join(import.meta.dirname, '..', '..', crate, 'src')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.rs'))
  return files.map((name) => readFileSync(join(folder, name), 'utf8')).join('\n')
}
const [domain, jobs, api] = [sources('domain'), sources('jobs'), sources('api')]

function found(source: string, patterns: RegExp[]): string[] {
  // What only tests say reaches nobody.
  const spoken = source.replace(/#\[cfg\(test\)\]\s*mod tests \{[\s\S]*?\n\}/g, '')
  return [...new Set(patterns.flatMap((pattern) => [...spoken.matchAll(pattern)].map((match) => match[1] ?? '')))].sort()
}

const videoCodes = [
  ...found(domain, [/MediaError::input\(\s*"([a-z_]+)"/g, /Class::Input\("([a-z_]+)"\)/g, /Class::\w+ => "([a-z_]+)"/g]),
  ...found(jobs, [/\.with_code\("([a-z_]+)"\)/g, /"([a-z_]+)"\.to_owned\(\),\s*"[A-Z]/g]),
]
const problemCodes = found(api, [
  /Problem::(?:conflict|refused|bad_request)\(\s*"([a-z_]+)"/g,
  /Problem::new\(\s*StatusCode::\w+,\s*"([a-z_]+)"/g,
  /Self::new\(\s*StatusCode::\w+,\s*"([a-z_]+)"/g,
])

const migrations = join(import.meta.dirname, '..', '..', 'migrations', 'queue')
const statements = readdirSync(migrations).map((name) => readFileSync(join(migrations, name), 'utf8')).join('\n')
// That a job runs or has ended is no reason to explain.
const reasonCodes = found(statements, [/return query\s+select '([a-z_]+)',/g]).filter((code) => code !== 'running' && code !== 'ended')

describe.each([
  ['en', { ...en, ...enAdmin, errors: { ...en.errors, ...enAccount.errors, ...enComments.errors, ...enModeration.errors, ...enPayments.errors } }],
  ['zh-TW', { ...zh, ...zhAdmin, errors: { ...zh.errors, ...zhAccount.errors, ...zhComments.errors, ...zhModeration.errors, ...zhPayments.errors } }],
])('%s', (_language, texts) => {
  it.each([...new Set(videoCodes)])('says why a video failed: %s', (code) => {
    expect(texts.videoErrors).toHaveProperty(code)
  })

  it.each(reasonCodes)('says why a job is not running: %s', (code) => {
    expect(texts.admin.why).toHaveProperty(code)
  })

  it.each(problemCodes)('says what is wrong with a request: %s', (code) => {
    expect(texts.errors).toHaveProperty(code)
  })
})

it('finds the codes in the sources', () => {
  expect(videoCodes).toEqual(expect.arrayContaining(['not_media', 'source_missing', 'transcoder_failed', 'processing_failed', 'cancelled']))
  expect(reasonCodes).toEqual(expect.arrayContaining(['dependency', 'run_at', 'queue_paused', 'no_worker', 'in_line']))
  expect(problemCodes).toEqual(expect.arrayContaining(['not_found', 'throttled', 'username_taken', 'upload_incomplete', 'unauthenticated']))
})
