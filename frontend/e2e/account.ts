// What the journeys share: a new person, logging in, looking at a page.
import { type APIRequestContext, expect, type Page } from '@playwright/test'
import { say } from './words'

export interface Person {
  username: string
  email: string
  password: string
}

/** A person nobody has seen before. */
export function somebody(): Person {
  const username = `ann-${Date.now().toString(36)}-${Math.floor(Math.random() * 1e6).toString(36)}`
  return { username, email: `${username}@example.org`, password: 'violet-harbour-92-kettle' }
}

/** Who registered since the last journey ended. */
const met: Person[] = []

export async function register(page: Page, person: Person, t = say('en')): Promise<void> {
  await page.goto('/register')
  await page.getByLabel(t('auth.username')).fill(person.username)
  await page.getByLabel(t('auth.email')).fill(person.email)
  await page.getByLabel(t('auth.password'), { exact: true }).fill(person.password)
  await page.getByRole('button', { name: t('auth.register') }).click()
  await expect(page).toHaveURL(/\/dashboard$/)
  met.push(person)
  await expect(page.getByRole('heading', { level: 1, name: t('dashboard.title', { name: person.username }) })).toBeVisible()
}

export async function logIn(page: Page, person: Person, t = say('en')): Promise<void> {
  await page.getByLabel(t('auth.identifier')).fill(person.username)
  await page.getByLabel(t('auth.password'), { exact: true }).fill(person.password)
  await page.locator('form').getByRole('button', { name: t('auth.logIn') }).click()
}

export async function tokenOf(request: APIRequestContext, person: Person): Promise<string> {
  const answer = await request.post('/api/auth/login', { data: { identifier: person.username, password: person.password } })
  expect(answer.status()).toBe(200)
  return ((await answer.json()) as { access_token: string }).access_token
}

/** After a journey: cancels what is still being made of its videos, since the next one would wait behind that. */
export async function stopWork({ request }: { request: APIRequestContext }): Promise<void> {
  for (const { username, password } of met.splice(0)) {
    const answer = await request.post('/api/auth/login', { data: { identifier: username, password } })
    // Some have left, or have another password by now.
    if (answer.status() !== 200) continue
    const headers = { authorization: `Bearer ${((await answer.json()) as { access_token: string }).access_token}` }
    const { items } = (await (await request.get('/api/videos?owner=me&status=processing', { headers })).json()) as { items: { id: string }[] }
    // It may have ended meanwhile, which is refused and right.
    for (const { id } of items) await request.post(`/api/videos/${id}/cancel`, { headers })
  }
}

/** Keeps a picture of the page when SHOTS names a folder. */
export async function shot(page: Page, name: string): Promise<void> {
  const folder = process.env.SHOTS
  if (folder) await page.screenshot({ path: `${folder}/${name}.png` })
}

/** Fails when the page logs an error, such as a breach of the content security policy. */
export function watchConsole(page: Page): string[] {
  const faults: string[] = []
  page.on('pageerror', (error) => faults.push(error.message))
  page.on('console', (message) => {
    // A visitor's first refresh is answered 401, which the browser itself reports.
    if (message.type() === 'error' && !/status of 401/.test(message.text())) faults.push(message.text())
  })
  return faults
}
