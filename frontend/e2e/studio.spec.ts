// What creators do: captions and chapters that viewers see, the trash and the way back, changes of many.
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, type Page, test } from '@playwright/test'
import { register, shot, somebody, stopWork, watchConsole } from './account'

const clip = process.env.CLIP ?? ''
test.afterEach(stopWork)
const SRT = '1\n00:00:00,000 --> 00:00:30,000\nHello from the mill\n'

async function upload(page: Page, title: string): Promise<void> {
  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles(clip)
  await page.getByLabel('Title').fill(title)
  await page.getByRole('button', { name: 'Publish' }).click()
  await expect(page.getByRole('link', { name: 'Watch now' })).toBeVisible({ timeout: 120_000 })
}

async function openInStudio(page: Page, title: string): Promise<void> {
  await page.goto('/studio')
  await page.getByRole('link', { name: `Edit ${title}` }).click()
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible()
}

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('captions and chapters are set in the studio and seen in the player', async ({ page }) => {
    const faults = watchConsole(page)
    const title = `Studio ${Date.now()}`
    await register(page, somebody())
    await upload(page, title)
    await openInStudio(page, title)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-e2e-'))
    const [bad, good] = [join(folder, 'bad.vtt'), join(folder, 'good.srt')]
    writeFileSync(bad, 'WEBVTT\n\n00:05.000 --> 00:01.000\nx\n')
    writeFileSync(good, SRT)

    await page.getByRole('tab', { name: 'Captions' }).click()
    await page.getByLabel('Captions file').setInputFiles(bad)
    await expect(page.getByRole('alert').filter({ hasText: 'Line 3 of the file' }).first()).toBeVisible()
    faults.length = 0 // The browser itself reports the refusal.
    await page.getByLabel('Captions file').setInputFiles(good)
    await expect(page.getByText('1 caption', { exact: false })).toBeVisible()
    await shot(page, 'studio-captions')

    await page.getByRole('tab', { name: 'Chapters' }).click()
    await page.getByRole('button', { name: 'Add a chapter' }).click()
    await page.getByLabel('Title of chapter 1').fill('Beginning')
    await page.getByRole('button', { name: 'Add a chapter' }).click()
    // Within the first chunk: nothing further can be played as long as the rest is being made.
    await page.getByLabel('Start of chapter 2').fill('0:05')
    await page.getByLabel('Title of chapter 2').fill('The wheel')
    await page.locator('form').getByRole('button', { name: 'Save' }).click()
    await expect(page.getByText('From this list')).toBeVisible()
    await shot(page, 'studio-chapters')

    await page.getByRole('link', { name: 'Watch', exact: true }).click()
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    const video = page.locator('video')
    const showing = () => video.evaluate((media: HTMLVideoElement) => [...media.textTracks].filter((track) => track.mode === 'showing').map((track) => track.language))
    await expect.poll(showing).toEqual(['en'])
    await page.locator('main').focus()
    await page.keyboard.press('c')
    await expect.poll(showing).toEqual([])
    await page.reload()
    await expect(page.getByRole('button', { name: 'Captions' })).toBeAttached()
    expect(await showing()).toEqual([]) // Remembered.
    await page.keyboard.press('c')
    await expect.poll(showing).toEqual(['en'])

    await page.getByRole('region', { name: /^Video player/ }).hover()
    await page.getByRole('button', { name: 'Chapters' }).click()
    await page.getByRole('menuitemradio', { name: 'The wheel' }).click()
    await expect.poll(() => video.evaluate((media: HTMLVideoElement) => media.currentTime)).toBeGreaterThanOrEqual(4.9)
    await page.locator('.seek').hover({ position: { x: 60, y: 10 } })
    await expect(page.locator('.tip .title')).toHaveText('Beginning')
    await shot(page, 'studio-player')
    expect(faults).toEqual([])
  })

  test('a deleted video is brought back from the trash', async ({ page }) => {
    const title = `Trash ${Date.now()}`
    await register(page, somebody())
    await upload(page, title)
    await page.goto('/studio')
    await page.locator('tbody').getByText(title).waitFor()
    await shot(page, 'studio-table')
    await page.locator('tbody .el-checkbox').first().click()
    await page.getByRole('region', { name: 'Change the chosen videos' }).getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await expect(page.locator('tbody').getByText(title)).toBeHidden({ timeout: 30_000 })
    await page.getByRole('link', { name: 'Trash' }).click()
    await shot(page, 'studio-trash')
    await page.getByRole('button', { name: `Restore ${title}` }).click()
    await expect(page.getByText('The trash is empty')).toBeVisible()
    await page.getByRole('link', { name: 'Back to the studio' }).click()
    await expect(page.locator('tbody').getByText(title)).toBeVisible()
  })
})
