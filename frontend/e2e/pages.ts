// Every page there is, with something on it: for checks that walk through all of them.
import { readFileSync } from 'node:fs'
import { type APIRequestContext, expect } from '@playwright/test'
import { type Person, somebody } from './account'

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
  const token = await logIn(request, person)
  const call = async (method: 'get' | 'post' | 'put', path: string, bearer: string, data?: object): Promise<Record<string, string>> => {
    const answer = await request[method](path, { headers: { authorization: `Bearer ${bearer}` }, data })
    expect(answer.ok(), `${path}: ${await answer.text()}`).toBe(true)
    return answer.status() === 204 ? {} : ((await answer.json()) as Record<string, string>)
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
  const captions = 'WEBVTT\n\n00:01.000 --> 00:09.000\nThe pond in the morning\n'
  await call('put', `${path}/captions/en`, token, { text: captions })

  const visitor = await logIn(request, fan)
  const comment = await call('post', `${path}/comments`, visitor, { body: 'Lovely wheel at 0:12. When was it built?' })
  await call('post', `${path}/comments`, token, { body: 'In 1890.', parent_id: comment.id })
  await call('put', `${path}/like`, visitor)
  await call('put', `/api/channels/${person.username}/follow`, visitor)
  const list = await call('post', '/api/playlists', token, { title: 'Mills', visibility: 'public', video_id: video.id })

  const jobs = (await call('get', '/api/admin/jobs?limit=1', await logIn(request, admin))) as unknown as { items: { id: string }[] }
  const id = String(video.id)
  return {
    person,
    open: ['/', '/search', '/search?q=mill', '/search?q=nothing-like-it', '/trending', `/videos/${id}`, `/channels/${person.username}`, `/playlists/${String(list.id)}`, `/embed/${id}`, '/unsubscribe?token=x', '/no/such/page'],
    other: ['/', `/videos/${id}`, `/channels/${person.username}`, `/playlists/${String(list.id)}`],
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
      ...['details', 'thumbnail', 'captions', 'chapters', 'statistics', 'source'].map((tab) => `/studio/videos/${id}?tab=${tab}`),
      '/videos',
      '/videos/upload',
    ],
    admin: [
      '/admin/jobs',
      `/admin/jobs/${jobs.items[0]?.id ?? ''}`,
      '/admin/invites',
      ...['reports', 'appeals', 'words', 'audit'].map((page) => `/admin/${page}`),
    ],
  }
}

async function logIn(request: APIRequestContext, person: Person): Promise<string> {
  const answer = await request.post('/api/auth/login', { data: { identifier: person.username, password: person.password } })
  expect(answer.status()).toBe(200)
  return ((await answer.json()) as { access_token: string }).access_token
}
