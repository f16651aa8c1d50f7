// What browsers play anyway is watched as a copy while the ladder is made. SMALL and LONG name such files; the worker is a
// slow one, so that nothing of the ladder is done meanwhile.
import { expect, type Page, test } from '@playwright/test'
import { register, shot, somebody, watchConsole } from './account'

const { SMALL: small = '', LONG: long = '' } = process.env

async function watch(page: Page, file: string, title: string): Promise<void> {
  await register(page, somebody())
  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles(file)
  await page.getByLabel('Title').fill(title)
  await page.getByRole('button', { name: 'Publish' }).click()
  const link = page.getByRole('link', { name: 'Watch now' })
  await expect(link).toBeVisible({ timeout: 60_000 })
  await link.click()
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible()
  await page.getByRole('button', { name: 'Play', exact: true }).click()
}

const media = <T>(page: Page, read: (video: HTMLVideoElement) => T): Promise<T> => page.locator('video').evaluate(read)

async function stillProcessing(page: Page): Promise<void> {
  await expect(page.getByRole('list', { name: 'Processing steps' })).toBeVisible()
}

async function remove(page: Page, title: string): Promise<void> {
  await page.getByRole('button', { name: `Actions for ${title}` }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page).toHaveURL(/\/videos$/)
}

// Without the files there are no such journeys.
if (small && long) {
  test('a small video plays as a file', async ({ page }) => {
    const faults = watchConsole(page)
    await watch(page, small, 'Small')
    await expect.poll(() => media(page, (video) => video.currentTime), { timeout: 30_000 }).toBeGreaterThan(1)
    expect(await media(page, (video) => video.currentSrc)).toMatch(/\/file\.mp4$/)
    expect(await media(page, (video) => Math.round(video.duration))).toBe(16)
    expect(await media(page, (video) => video.videoHeight)).toBe(720)
    // One quality is no choice.
    await page.locator('video').hover()
    await expect(page.getByRole('button', { name: 'Speed' })).toBeVisible()
    await expect(page.getByRole('button', { name: 'Quality' })).toBeHidden()
    await stillProcessing(page)
    await shot(page, 'copy-file')
    await remove(page, 'Small')
    expect(faults).toEqual([])
  })

  test('a longer video streams as a copy of its picture', async ({ page }) => {
    const faults = watchConsole(page)
    await watch(page, long, 'Long')
    await expect.poll(() => media(page, (video) => video.currentTime), { timeout: 30_000 }).toBeGreaterThan(1)
    expect(await media(page, (video) => video.currentSrc)).toMatch(/^blob:/)
    // All of it is there: the ladder's own first chunk is eight seconds.
    await expect.poll(() => media(page, (video) => Math.round(video.duration)), { timeout: 60_000 }).toBe(80)
    await media(page, (video) => (video.currentTime = 70))
    await expect.poll(() => media(page, (video) => video.currentTime), { timeout: 30_000 }).toBeGreaterThan(71)
    // Picture and sound are both there at that place, and go together.
    const buffered = await media(page, (video) => video.buffered.length > 0 && video.buffered.end(video.buffered.length - 1) > 71)
    expect(buffered).toBe(true)
    await stillProcessing(page)
    await shot(page, 'copy-stream')
    await remove(page, 'Long')
    expect(faults).toEqual([])
  })
}
