// The spine, in a browser: a file is dropped, each stage is seen live, the video plays before it is done.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type Locator, type Page, test } from '@playwright/test'
import { register, shot, somebody, stopWork, watchConsole } from './account'

const clip = process.env.CLIP ?? ''
test.afterEach(stopWork)

async function upload(page: Page, file: string, title: string): Promise<void> {
  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles(file)
  await page.getByLabel('Title').fill(title)
  await page.getByRole('button', { name: 'Publish' }).click()
  await expect(page.getByRole('list', { name: 'Processing steps' })).toBeVisible({ timeout: 60_000 })
}

const bar = (page: Page, title: string): Locator => page.getByRole('progressbar', { name: `Processing progress: ${title}` }).first()

async function percent(progress: Locator): Promise<number> {
  return Number(await progress.getAttribute('aria-valuenow'))
}

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('an upload is followed live and watched before it is done', async ({ page, context }) => {
    const faults = watchConsole(page)
    const title = `Mill ${Date.now()}`
    await register(page, somebody())
    await upload(page, clip, title)
    await shot(page, 'upload-stages')

    // It never goes backwards, and a second tab and a reload show the same.
    const progress = bar(page, title)
    const first = await percent(progress)
    await expect.poll(() => percent(progress), { timeout: 90_000 }).toBeGreaterThan(first)
    const second = await context.newPage()
    await second.goto('/videos')
    await expect(second.getByRole('link', { name: title })).toBeVisible()
    const before = await percent(progress)
    await expect.poll(() => percent(bar(second, title)), { timeout: 10_000 }).toBeGreaterThanOrEqual(before)
    await page.reload()
    await expect(page.getByRole('heading', { level: 3, name: title })).toBeVisible()
    expect(await percent(progress)).toBeGreaterThanOrEqual(before)

    const watch = page.getByRole('link', { name: 'Watch now' })
    await expect(watch).toBeVisible({ timeout: 120_000 })
    await shot(page, 'upload-playable')
    await watch.click()
    await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible()

    await plays(page)
    // It plays, and it is not done: the clip is long enough that both are true for a while.
    await expect(page.getByRole('list', { name: 'Processing steps' })).toBeVisible()
    await shot(page, 'watch-processing')
    await expect(page.getByRole('list', { name: 'Processing steps' })).toBeHidden({ timeout: 150_000 })
    await expect(second.getByText('Ready').first()).toBeVisible()
    await second.close()
    await shot(page, 'watch-ready')
    expect(faults).toEqual([])
  })

  test('the finished video offers several qualities, and the keyboard works', async ({ page }) => {
    const title = `Keys ${Date.now()}`
    await register(page, somebody())
    await upload(page, clip, title)
    await expect(page.getByText('Your video is ready in all qualities.')).toBeVisible({ timeout: 170_000 })
    await page.getByRole('link', { name: 'Watch now' }).click()
    await plays(page)

    await page.locator('video').hover() // The controls had gone to sleep.
    await page.getByRole('button', { name: 'Quality' }).click()
    const choices = page.getByRole('menuitemradio')
    await expect.poll(() => choices.count()).toBeGreaterThanOrEqual(3) // Auto and at least two rungs.
    await choices.last().click()
    await page.getByRole('button', { name: 'Quality' }).click()
    await expect(choices.last()).toHaveAttribute('aria-checked', 'true')
    await page.keyboard.press('Escape')

    const video = page.locator('video')
    await page.locator('main').focus()
    await page.keyboard.press('k')
    await expect.poll(() => video.evaluate((media: HTMLVideoElement) => media.paused)).toBe(true)
    await page.keyboard.press('m')
    await expect.poll(() => video.evaluate((media: HTMLVideoElement) => media.muted)).toBe(true)
    await page.keyboard.press('Shift+>')
    await expect.poll(() => video.evaluate((media: HTMLVideoElement) => media.playbackRate)).toBe(1.25)
    await page.keyboard.press('0')
    await expect.poll(() => video.evaluate((media: HTMLVideoElement) => media.currentTime)).toBeLessThan(0.5)

    await page.keyboard.press('Shift+?')
    const keys = page.getByRole('dialog', { name: 'Keys of the player' })
    await expect(keys).toContainText('5 seconds back and on')
    await page.keyboard.press('Escape')
    await expect(keys).toBeHidden()
    const width = async (): Promise<number> => (await video.boundingBox())?.width ?? 0
    const narrow = await width()
    await page.keyboard.press('t')
    await expect.poll(width).toBeGreaterThan(narrow + 200)
    await shot(page, 'watch-theatre')
    await page.reload()
    await expect(page.getByRole('button', { name: 'Theatre mode' })).toHaveAttribute('aria-pressed', 'true')
    await page.getByRole('button', { name: 'Theatre mode' }).click()
    await expect.poll(width).toBe(narrow)
  })

  test('the owner edits, hides and deletes a video', async ({ page, browser }) => {
    const title = `Mine ${Date.now()}`
    await register(page, somebody())
    await upload(page, clip, title)
    await expect(page.getByRole('link', { name: 'Watch now' })).toBeVisible({ timeout: 120_000 })
    await page.getByRole('link', { name: 'Watch now' }).click()
    await page.getByRole('button', { name: 'Edit', exact: true }).click()
    const dialog = page.getByRole('dialog', { name: 'Edit video' })
    await dialog.getByLabel('Title').fill('')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await expect(dialog.getByText('Please give it a title.')).toBeVisible()
    await dialog.getByLabel('Title').fill(`${title} renamed`)
    await dialog.getByText('Only you can watch it').click()
    await dialog.getByRole('button', { name: 'Save' }).click()
    await expect(page.getByRole('heading', { level: 1, name: `${title} renamed` })).toBeVisible()

    const visitor = await (await browser.newContext()).newPage()
    await visitor.goto(page.url())
    await expect(visitor.getByRole('heading', { name: 'This video does not exist' })).toBeVisible()
    await visitor.context().close()

    await page.getByRole('button', { name: `Actions for ${title} renamed` }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await expect(page).toHaveURL(/\/videos$/)
    await expect(page.getByText('No videos yet')).toBeVisible()
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect(page.getByText(`“${title} renamed” is back.`)).toBeVisible()
    await expect(page.getByRole('link', { name: `${title} renamed` })).toBeVisible()
  })
})

test('a file that is no video is refused, or fails in words', async ({ page }) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-e2e-'))
  const notes = join(folder, 'notes.txt')
  writeFileSync(notes, 'These are notes.')
  const disguised = join(folder, 'bad.mp4')
  writeFileSync(disguised, 'These are notes, too.')
  await register(page, somebody())
  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles(notes)
  await expect(page.getByRole('alert')).toContainText('This kind of file cannot be uploaded.')
  await shot(page, 'upload-refused')

  await page.getByLabel('Video file').setInputFiles(disguised)
  await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible({ timeout: 60_000 })
  await expect(page.getByRole('alert')).not.toBeEmpty()
  await shot(page, 'upload-failed')
})

/** Starts the player and sees the picture move. */
async function plays(page: Page): Promise<void> {
  const video = page.locator('video')
  await page.getByRole('button', { name: 'Play', exact: true }).click()
  const time = () => video.evaluate((media: HTMLVideoElement) => media.currentTime)
  await expect.poll(time, { timeout: 30_000 }).toBeGreaterThan(1)
  const before = await time()
  await expect.poll(time, { timeout: 15_000 }).toBeGreaterThan(before)
  expect(await video.evaluate((media: HTMLVideoElement) => media.videoWidth)).toBeGreaterThan(0)
}
