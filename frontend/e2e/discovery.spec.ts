// Finding videos: somebody publishes one, others search for it with the keyboard, misspell it, narrow the results and share
// the address; what is trending and what one may like is on the front page.
import { expect, test } from '@playwright/test'
import { register, shot, somebody, stopWork, watchConsole } from './account'

const clip = process.env.CLIP ?? ''
test.afterEach(stopWork)

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('a video is searched for and found', async ({ page, browser }) => {
    const faults = watchConsole(page)
    await register(page, somebody())
    await page.goto('/videos/upload')
    await page.getByLabel('Video file').setInputFiles(clip)
    await page.getByLabel('Title').fill('Grandfather’s waterwheel 老街的水車')
    await page.getByRole('button', { name: 'Publish' }).click()
    await expect(page.getByRole('link', { name: 'Watch now' })).toBeVisible({ timeout: 120_000 })

    const visitor = await (await browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 } })).newPage()
    await visitor.goto('/')
    // The key leads to the field; arrow keys lead into the list.
    await visitor.getByRole('combobox', { name: 'Search videos and channels' }).waitFor()
    await visitor.keyboard.press('/')
    const field = visitor.getByRole('combobox', { name: 'Search videos and channels' })
    await expect(field).toBeFocused()
    await field.pressSequentially('grandf')
    const option = visitor.getByRole('option', { name: /Grandfather’s waterwheel/ }).first()
    await expect(option).toBeVisible()
    await expect(field).toHaveAttribute('aria-expanded', 'true')
    await visitor.keyboard.press('ArrowUp')
    await expect(field).toHaveAttribute('aria-activedescendant', /.+/)
    await shot(visitor, 'suggestions')
    await visitor.keyboard.press('Escape')
    await expect(option).toBeHidden()

    // Two characters inside a longer title.
    await field.fill('水車')
    await visitor.keyboard.press('Enter')
    await expect(visitor).toHaveURL(/\/search\?q=/)
    await expect(visitor.getByRole('heading', { level: 1, name: 'Results for “水車”' })).toBeVisible()
    const found = visitor.getByRole('main').getByRole('link', { name: /Grandfather’s waterwheel/ }).first()
    await expect(found).toBeVisible()
    await shot(visitor, 'search')

    // Narrowed, the address says so; whoever gets it sees the same.
    await visitor.getByRole('button', { name: 'Filters' }).click()
    // The words of the select lie above its field.
    await visitor.getByRole('combobox', { name: 'Length' }).click({ force: true })
    await visitor.getByRole('option', { name: 'Over 20 minutes' }).click()
    await expect(visitor).toHaveURL(/duration=long/)
    await expect(visitor.getByRole('heading', { name: 'No video fits these filters.' })).toBeVisible()
    await visitor.reload()
    await expect(visitor.getByRole('button', { name: 'Filters, 1 on' })).toHaveAttribute('aria-expanded', 'true')
    await visitor.getByRole('button', { name: 'Remove filters' }).first().click()
    await expect(found).toBeVisible()

    await field.fill('nothingofthekind')
    await visitor.keyboard.press('Enter')
    await expect(visitor.getByRole('heading', { name: 'Nothing found for “nothingofthekind”' })).toBeVisible()
    await field.fill('waterwheel -老街')
    await visitor.keyboard.press('Enter')
    await expect(visitor.getByRole('heading', { name: /^Nothing found for/ })).toBeVisible()

    // On a phone the bar has a link instead, and the page the field.
    await visitor.setViewportSize({ width: 390, height: 844 })
    await visitor.goto('/')
    await visitor.getByRole('link', { name: 'Search', exact: true }).click()
    await visitor.getByRole('main').getByRole('combobox', { name: 'Search videos and channels' }).fill('waterwheel')
    await visitor.keyboard.press('Enter')
    await expect(found).toBeVisible()
    expect(await visitor.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)

    await page.goto('/')
    await expect(page.getByRole('region', { name: 'For you' }).getByRole('link', { name: /Grandfather’s waterwheel/ }).first()).toBeVisible()
    expect(faults).toEqual([])
  })
})

test('what is trending has a page', async ({ page }) => {
  const faults = watchConsole(page)
  await page.goto('/trending')
  await expect(page.getByRole('heading', { level: 1, name: 'Trending' })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'Nothing is trending yet' }).or(page.getByRole('main').getByRole('article').first())).toBeVisible()
  expect(faults).toEqual([])
})
