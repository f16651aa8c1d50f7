// A report, a decision, an appeal, and its answer: one uploads, another reports, an operator decides. ADMIN_NAME and
// ADMIN_PASSWORD are the operator's.
import { type Browser, expect, type Page, test } from '@playwright/test'
import { logIn, register, shot, somebody, stopWork, watchConsole } from './account'

const clip = process.env.CLIP ?? ''
test.afterEach(stopWork)

async function another(browser: Browser): Promise<Page> {
  return (await browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 } })).newPage()
}

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('a video is reported, hidden, appealed for, and shown again', async ({ page, browser }) => {
    const { ADMIN_NAME: username = '', ADMIN_PASSWORD: password = '' } = process.env
    expect([username, password], 'ADMIN_NAME and ADMIN_PASSWORD name an operator').not.toContain('')
    const title = `A wheel ${Date.now().toString(36)}`
    const faults = watchConsole(page)
    await register(page, somebody())
    await page.goto('/videos/upload')
    await page.getByLabel('Video file').setInputFiles(clip)
    await page.getByLabel('Title').fill(title)
    await page.getByRole('button', { name: 'Publish' }).click()
    const watch = page.getByRole('link', { name: 'Watch now' })
    await expect(watch).toBeVisible({ timeout: 120_000 })
    await watch.click()
    await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible()
    const path = new URL(page.url()).pathname

    const visitor = await another(browser)
    await register(visitor, somebody())
    await visitor.goto(path)
    await visitor.getByRole('button', { name: 'Report', exact: true }).click()
    const report = visitor.getByRole('dialog', { name: 'Report' })
    await report.getByLabel('Spam or advertising').check()
    await report.getByRole('button', { name: 'Send report' }).click()
    await expect(visitor.getByText('Our staff will look at it.').last()).toBeVisible()

    const staff = await another(browser)
    await staff.goto('/admin/reports')
    await logIn(staff, { username, password, email: '' })
    await expect(staff.getByRole('heading', { level: 1, name: 'Moderation' })).toBeVisible()
    await expect(staff.getByRole('link', { name: title })).toContainText('Spam or advertising')
    await shot(staff, 'moderation-queue')
    await staff.getByRole('link', { name: title }).click()
    await expect(staff.getByRole('region', { name: 'What people say' })).toContainText('Spam or advertising')
    await shot(staff, 'moderation-case')
    await staff.getByRole('button', { name: 'Hide', exact: true }).click()
    const decide = staff.getByRole('dialog', { name: 'Hide' })
    await decide.getByLabel('What the person should know (optional)').fill('It shows nothing but advertising.')
    await decide.getByRole('button', { name: 'Decide' }).click()
    await expect(staff.getByRole('region', { name: 'Decided on this before' })).toContainText('Hidden')
    await expect(staff.getByRole('button', { name: 'Hide', exact: true })).toHaveCount(0)

    await visitor.reload()
    await expect(visitor.getByRole('heading', { name: title })).toHaveCount(0)
    await expect(visitor.getByText('This video does not exist').first()).toBeVisible()

    // Its owner sees it, is told, and says something against it.
    await page.reload()
    await expect(page.getByText('Our staff hid this.')).toBeVisible()
    await shot(page, 'moderation-hidden')
    await page.getByRole('link', { name: 'Why, and how to appeal' }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Decisions' })).toBeVisible()
    await expect(page.getByText('It shows nothing but advertising.')).toBeVisible()
    await page.getByRole('button', { name: 'Appeal', exact: true }).click()
    await page.getByLabel('What you say').fill('It is my own mill.')
    await page.getByRole('button', { name: 'Send appeal' }).click()
    await expect(page.getByText('Waiting', { exact: true })).toBeVisible()
    await shot(page, 'moderation-appeal')

    await staff.goto('/admin/appeals')
    const appeal = staff.getByRole('listitem').filter({ hasText: title })
    await expect(appeal).toContainText('It is my own mill.')
    await appeal.getByLabel('What the person is told').fill('So it is. Sorry.')
    await shot(staff, 'moderation-appeals')
    await appeal.getByRole('button', { name: 'Accept and take it back' }).click()
    await expect(appeal).toHaveCount(0)
    await staff.goto('/admin/audit')
    await expect(staff.getByRole('listitem').filter({ hasText: 'took back a decision on a video' }).first()).toContainText(username)
    await shot(staff, 'moderation-audit')

    await visitor.reload()
    await expect(visitor.getByRole('heading', { level: 1, name: title })).toBeVisible()
    await page.goto('/notifications')
    await page.getByRole('link', { name: 'Our staff decided about something of yours' }).first().click()
    await expect(page.getByText('So it is. Sorry.')).toBeVisible()
    await visitor.context().close()
    await staff.context().close()
    expect(faults).toEqual([])
  })
})
