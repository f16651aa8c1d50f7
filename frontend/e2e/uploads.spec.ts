// Uploads and what happens to them: several at once, pauses, reloads, lost networks, full storages. The store's answers
// are held back and let go by the test, so that nothing depends on how fast a machine is.
import { copyFileSync, mkdtempSync, openSync, closeSync, ftruncateSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type Locator, type Page, test } from '@playwright/test'
import { register, shot, somebody, stopWork, watchConsole } from './account'

const MIB = 1024 * 1024
const PARTS = 5
const clip = process.env.CLIP ?? ''
let folder = ''
/** The clip with room at its end: a whole video that travels in five parts. */
let large = ''

test.skip(clip === '', 'CLIP names a video file')
test.afterEach(stopWork)

test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-uploads-'))
  large = join(folder, 'Large film.mp4')
  copyFileSync(clip, large)
  const begin = statSync(large).size
  const room = (PARTS - 1) * 16 * MIB + MIB - begin
  const file = openSync(large, 'r+')
  const box = Buffer.from([0, 0, 0, 0, ...Buffer.from('free')])
  box.writeUInt32BE(room)
  writeSync(file, box, 0, 8, begin)
  ftruncateSync(file, begin + room)
  closeSync(file)
})

test.beforeEach(async ({ page }) => {
  // The dialog that gives handles cannot be driven from here; the plain one can.
  await page.addInitScript(() => Object.defineProperty(window, 'showOpenFilePicker', { value: undefined, configurable: true }))
  page.on('dialog', (dialog) => void dialog.accept())
})

/** The bytes on their way to the store, held at the door: inside the page, since the browser's own door copies bodies. */
class Gate {
  /** Numbers of the parts that arrived, in order. */
  readonly arrived: number[] = []
  private readonly page: Page

  private constructor(page: Page) {
    this.page = page
    page.on('requestfinished', (request) => {
      if (request.method() === 'PUT' && signed(request.url())) void request.response().then((answer) => answer?.ok() && this.arrived.push(part(request.url())))
    })
  }

  static async on(page: Page): Promise<Gate> {
    await page.addInitScript(() => {
      const { open, send, abort } = XMLHttpRequest.prototype
      const puts = new WeakSet<XMLHttpRequest>()
      const gate: Door = { lifted: false, waiting: [] }
      Object.assign(window, { gate })
      XMLHttpRequest.prototype.open = function (this: XMLHttpRequest, method: string, url: string) {
        if (method.toUpperCase() === 'PUT' && url.includes('X-Amz-Signature')) puts.add(this)
        open.call(this, method, url, true)
      }
      XMLHttpRequest.prototype.send = function (body) {
        const go = () => send.call(this, body)
        if (puts.has(this) && !gate.lifted) gate.waiting.push({ request: this, go })
        else go()
      }
      XMLHttpRequest.prototype.abort = function () {
        gate.waiting = gate.waiting.filter(({ request }) => request !== this)
        abort.call(this)
      }
    })
    return new Gate(page)
  }

  async holds(count: number): Promise<void> {
    await expect.poll(() => this.page.evaluate(() => (window as unknown as { gate: Door }).gate.waiting.length), { timeout: 30_000 }).toBe(count)
  }

  async open(count: number): Promise<void> {
    await this.page.evaluate((some) => (window as unknown as { gate: Door }).gate.waiting.splice(0, some).forEach(({ go }) => go()), count)
  }

  /** Lets some go through and waits until they have arrived. */
  async pass(count: number): Promise<void> {
    const goal = this.arrived.length + count
    await this.open(count)
    await expect.poll(() => this.arrived.length, { timeout: 60_000 }).toBe(goal)
  }

  async lift(): Promise<void> {
    await this.page.evaluate(() => ((window as unknown as { gate: Door }).gate.lifted = true))
    await this.open(Infinity)
  }
}

interface Door {
  lifted: boolean
  waiting: { request: XMLHttpRequest; go: () => void }[]
}

const signed = (url: string): boolean => url.includes('X-Amz-Signature')
const part = (url: string): number => Number(new URL(url).searchParams.get('partNumber') ?? 1)
const row = (page: Page, title: string): Locator => page.getByRole('article', { name: title })
const percent = async (page: Page, title: string) =>
  Number(await row(page, title).getByRole('progressbar', { name: `Upload progress: ${title}` }).getAttribute('aria-valuenow'))
const choose = (page: Page, files: string | string[]) => page.getByLabel('Video file').setInputFiles(files)

async function draft(page: Page, title: string): Promise<void> {
  await expect(row(page, title)).toContainText('Only you can see it until you publish it.', { timeout: 60_000 })
}

test('several files go up at once, two at a time, and are published together', async ({ page }) => {
  const faults = watchConsole(page)
  const names = ['One', 'Two', 'Three']
  const files = names.map((name) => join(folder, `${name}.mp4`))
  for (const file of files) writeFileSync(file, `No film: ${file}`)
  await register(page, somebody())
  const gate = await Gate.on(page)
  await page.goto('/videos/upload')
  await choose(page, files)
  await gate.holds(2)
  await expect(row(page, 'Three')).toContainText('Waiting for its turn')
  await shot(page, 'uploads-several')

  // It goes on while one walks around; the sign of it fits every screen.
  await page.getByRole('link', { name: 'My videos' }).click()
  await expect(page.getByRole('link', { name: 'Uploading 0%' })).toBeVisible()
  await page.setViewportSize({ width: 390, height: 844 })
  await expect(page.getByRole('link', { name: 'Uploading 0%' })).toBeVisible()
  expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  await page.setViewportSize({ width: 1440, height: 900 })
  await gate.pass(1)
  await gate.holds(2)
  await page.getByRole('link', { name: /^Uploading/ }).click()
  await expect(page.getByText('Only you can see it until you publish it.')).toHaveCount(1)
  await gate.lift()
  await Promise.all(names.map((name) => draft(page, name)))
  await page.getByRole('button', { name: 'Publish all 3' }).click()
  for (const name of names) await expect(row(page, name)).not.toContainText('Only you can see it')
  expect(faults).toEqual([])
})

test('a draft is nobody else\'s to see before it is published', async ({ page }) => {
  const file = join(folder, 'Draft.mp4')
  copyFileSync(clip, file)
  await register(page, somebody())
  await page.goto('/videos/upload')
  const completed = page.waitForRequest((request) => request.url().endsWith('/complete'))
  await choose(page, file)
  expect((await completed).postDataJSON()).toMatchObject({ title: 'Draft', visibility: 'private' })
  await draft(page, 'Draft')
  const changed = page.waitForRequest((request) => request.method() === 'PATCH')
  await page.getByLabel('Title').fill('Premiere')
  await page.getByRole('button', { name: 'Publish', exact: true }).click()
  expect((await changed).postDataJSON()).toMatchObject({ title: 'Premiere', visibility: 'public' })
  await expect(page.getByRole('list', { name: 'Processing steps' })).toBeVisible()
})

test('a pause, a lost network and an expired address cost nothing that has arrived', async ({ page, context }) => {
  await register(page, somebody())
  const gate = await Gate.on(page)
  await page.goto('/videos/upload')
  await choose(page, large)
  await gate.holds(4)
  await gate.pass(1)
  await gate.holds(4)
  await page.getByRole('button', { name: 'Pause: Large film' }).click()
  await expect(row(page, 'Large film')).toContainText('Paused')
  expect(await percent(page, 'Large film')).toBeGreaterThan(20)
  await shot(page, 'uploads-paused')
  await page.getByRole('button', { name: 'Resume: Large film' }).click()
  await gate.holds(4)

  await context.setOffline(true)
  await gate.open(4)
  await expect(row(page, 'Large film')).toContainText('Connection lost, goes on by itself')
  await shot(page, 'uploads-offline')
  await context.setOffline(false)
  await gate.holds(4)

  const again = page.waitForRequest((request) => request.method() === 'POST' && /\/uploads\/[^/]+\/parts$/.test(request.url()))
  const headers = { 'Access-Control-Allow-Origin': '*' }
  const body = '<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>'
  await page.route((url) => signed(url.href), (route) => route.fulfill({ status: 403, headers, body }), { times: 1 })
  await gate.open(1)
  await again
  await gate.holds(4)
  await gate.lift()
  await draft(page, 'Large film')
  expect([...gate.arrived].sort()).toEqual([1, 2, 3, 4, 5])
})

test('after a reload only the missing parts of the same file are sent', async ({ page }) => {
  await register(page, somebody())
  const gate = await Gate.on(page)
  await page.goto('/videos/upload')
  await choose(page, large)
  await gate.holds(4)
  await page.getByLabel('Title').fill('Kept title')
  await gate.pass(3)
  await gate.holds(2)
  const warned = page.waitForEvent('dialog')
  await page.reload()
  expect((await warned).type()).toBe('beforeunload')

  await expect(page.getByRole('heading', { name: 'Go on where you stopped' })).toBeVisible()
  const again = row(page, 'Kept title')
  await expect(again).toContainText(/73% have arrived/)
  await shot(page, 'uploads-unfinished')
  await chooseAgain(page, 'Kept title', clip)
  await expect(again.getByRole('alert')).toContainText('This is not the file that the upload began with.')
  await chooseAgain(page, 'Kept title', large)
  await gate.holds(2)
  await gate.lift()
  await draft(page, 'Kept title')
  expect([...gate.arrived].sort()).toEqual([1, 2, 3, 4, 5])
})

test('where the browser knows the way to the file, a reload goes on by itself', async ({ page }) => {
  // A file of the browser's own file system gives a real handle, which is what the dialog would give.
  await page.addInitScript(() => {
    const handles = async () => [await (await navigator.storage.getDirectory()).getFileHandle('Held.mp4', { create: true })]
    Object.defineProperty(window, 'showOpenFilePicker', { value: handles, configurable: true })
  })
  await register(page, somebody())
  await page.evaluate(async (size) => {
    const folder = await navigator.storage.getDirectory()
    const writer = await (await folder.getFileHandle('Held.mp4', { create: true })).createWritable()
    await writer.write(new Uint8Array(size))
    await writer.close()
  }, 65 * MIB)
  const gate = await Gate.on(page)
  await page.goto('/videos/upload')
  await page.getByRole('button', { name: 'Choose files' }).click()
  await gate.holds(4)
  await gate.pass(2)
  await gate.holds(3)
  await page.reload()
  await gate.holds(3)
  await gate.lift()
  await draft(page, 'Held')
  expect([...gate.arrived].sort()).toEqual([1, 2, 3, 4, 5])
})

async function chooseAgain(page: Page, title: string, file: string): Promise<void> {
  const chooser = page.waitForEvent('filechooser')
  await page.getByRole('button', { name: `Choose the file: ${title}` }).click()
  await (await chooser).setFiles(file)
}

test('a second tab leaves an upload to the first, and a cancelled one is gone', async ({ page, context }) => {
  const file = join(folder, 'Shared.mp4')
  writeFileSync(file, 'No film.')
  await register(page, somebody())
  const gate = await Gate.on(page)
  await page.goto('/videos/upload')
  await choose(page, file)
  await gate.holds(1)
  const second = await context.newPage()
  await second.goto('/videos/upload')
  await expect(row(second, 'Shared')).toContainText('Another tab is uploading this file.')
  await page.getByRole('button', { name: 'Cancel upload: Shared' }).click()
  await expect(page.getByText('Drop videos here')).toBeVisible()
  await expect(row(second, 'Shared')).toBeHidden()
  await second.reload()
  await expect(second.getByText('Drop videos here')).toBeVisible()
  await second.close()
})

test('a file that does not fit is refused before a byte is sent', async ({ page }) => {
  const size = 700 * MIB
  const huge = join(folder, 'Huge.mp4')
  writeFileSync(huge, '')
  const file = openSync(huge, 'r+')
  ftruncateSync(file, size)
  closeSync(file)
  await register(page, somebody())
  await page.goto('/videos/upload')
  await expect(page.getByRole('meter', { name: 'Storage' })).toBeVisible()
  await choose(page, huge)
  await expect(page.getByRole('alert')).toContainText('This file needs 700 MB, and only 512 MB of your storage are free.')
  await shot(page, 'uploads-quota')

  // The page does not know, the server does.
  await page.route('**/api/me/storage', (route) => route.fulfill({ json: { used: 0, reserved: 0, quota: null, videos: 0, uploads: 0 } }))
  await page.reload()
  await choose(page, huge)
  await expect(row(page, 'Huge').getByRole('alert')).toContainText('There is not enough storage left for this file.')
})
