// Every page there is, with something on it: for checks that walk through all of them.
import { readFileSync } from 'node:fs'
import { type APIRequestContext, expect, type Page } from '@playwright/test'
import { type Person, somebody, tokenOf } from './account'

export interface Pages {
  /** Who made what is shown, and sees `own`. */
  person: Person
  /** For everybody. */
  open: string[]
  /** Those of them that are others for who is logged in. */
  other: string[]
  /** For visitors alone. */
  guest: string[]
  /** For people who are logged in. */
  own: string[]
  /** For administrators. */
  admin: string[]
}

/** Makes a person with a video that is ready, comments, a playlist and news, and says where all of it is. */
export async function makePages(request: APIRequestContext, clip: string, admin: Person): Promise<Pages> {
  const person = somebody()
  const fan = somebody()
  for (const data of [person, fan]) expect((await request.post('/api/auth/register', { data })).status()).toBe(201)
  const token = await tokenOf(request, person)
  const call = async (method: 'get' | 'patch' | 'post' | 'put', path: string, bearer: string, data?: object): Promise<Record<string, string>> => {
    const answer = await request[method](path, { headers: { authorization: `Bearer ${bearer}` }, data })
    const body = await answer.text()
    expect(answer.ok(), `${path}: ${body}`).toBe(true)
    return body === '' ? {} : (JSON.parse(body) as Record<string, string>)
  }

  const bytes = readFileSync(clip)
  const target = (await call('post', '/api/uploads', token, { filename: 'mill.mp4', size: bytes.length, content_type: 'video/mp4' })) as unknown as {
    upload_id: string
    url: string
    headers: Record<string, string>
  }
  expect((await request.put(target.url, { headers: target.headers, data: bytes })).ok()).toBe(true)
  const description = 'The wheel turns since 1890.\n\n0:00 The pond\n0:10 The wheel\n0:20 The stones'
  const video = await call('post', `/api/uploads/${target.upload_id}/complete`, token, { title: 'The old mill by the river', description })
  const path = `/api/videos/${String(video.id)}`
  const status = async () => (await call('get', path, token)).status
  await expect.poll(status, { timeout: 170_000, intervals: [500] }).toBe('ready')
  await call('patch', path, token, { tags: ['mill', 'river'], category: 'travel' })
  const captions = 'WEBVTT\n\n00:01.000 --> 00:09.000\nThe pond in the morning\n'
  await call('put', `${path}/captions/en`, token, { text: captions })

  const visitor = await tokenOf(request, fan)
  const comment = await call('post', `${path}/comments`, visitor, { body: 'Lovely wheel at 0:12. When was it built?' })
  await call('post', `${path}/comments`, token, { body: 'In 1890.', parent_id: comment.id })
  await call('put', `${path}/like`, visitor)
  await call('put', `/api/channels/${person.username}/follow`, visitor)
  const list = await call('post', '/api/playlists', token, { title: 'Mills', visibility: 'public', video_id: video.id })

  await call('post', '/api/reports', visitor, { target: 'video', target_id: video.id, reason: 'misleading', body: 'It was built in 1891.' })

  const of = { person, video: String(video.id), list: String(list.id), words: 'mill', tag: 'river' }
  return pagesOf({ ...of, job: await someOf(request, admin, '/api/admin/jobs'), report: await someOf(request, admin, '/api/admin/reports') })
}

/** What there is to look at. */
interface Made {
  person: Person
  video: string
  list: string
  /** What finds the video. */
  words: string
  tag: string
  job: string
  /** The case of a report. */
  report: string
}

/** Where all of it is. */
export function pagesOf({ person, video, list, words, tag, job, report }: Made): Pages {
  return {
    person,
    open: [
      '/',
      '/search',
      `/search?q=${encodeURIComponent(words)}`,
      '/search?q=nothing-like-it&duration=long',
      `/search?tag=${encodeURIComponent(tag)}&category=travel`,
      '/trending',
      `/videos/${video}`,
      ...['', '?tab=playlists', '?tab=about'].map((section) => `/channels/${person.username}${section}`),
      `/playlists/${list}`,
      `/embed/${video}`,
      '/unsubscribe?token=x',
      '/no/such/page',
    ],
    other: ['/', `/videos/${video}`, `/videos/${video}?list=${list}`, `/channels/${person.username}`, `/playlists/${list}`],
    guest: ['/suspended', '/login', '/register', '/forgot', '/reset?token=x', '/verify?token=x'],
    own: [
      '/dashboard',
      '/decisions',
      '/feed',
      '/history',
      '/notifications',
      '/notifications/settings',
      '/playlists',
      ...['', '/security', '/devices', '/data'].map((section) => `/profile${section}`),
      '/studio',
      '/studio/trash',
      ...['details', 'thumbnail', 'captions', 'chapters', 'statistics', 'source'].map((tab) => `/studio/videos/${video}?tab=${tab}`),
      '/videos',
      '/videos/upload',
    ],
    admin: ['/admin/jobs', `/admin/jobs/${job}`, '/admin/invites', ...['reports', `reports/${report}`, 'appeals', 'words', 'audit'].map((page) => `/admin/${page}`)],
  }
}

/** The id of something of a list that administrators see. */
export async function someOf(request: APIRequestContext, admin: Person, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${await tokenOf(request, admin)}` }
  const { items } = (await (await request.get(path, { headers })).json()) as { items: { id: string }[] }
  return items[0]?.id ?? ''
}

/** Waits until the page shows what it has to show. What does not come is returned in words. */
export async function settled(page: Page): Promise<string | null> {
  try {
    await page.locator('h1, video').first().waitFor({ timeout: 10_000 })
    await expect(page.locator('.ghost, .el-skeleton, .unknown, [aria-busy=true]')).toHaveCount(0)
    return null
  } catch {
    return 'no heading of the first level, or it never stops loading'
  }
}
