// The admin screens. ADMIN_NAME and ADMIN_PASSWORD are an operator's, and one job with the tag "journey" waits for its time.
import { expect, test } from '@playwright/test'
import { logIn, register, shot, somebody, watchConsole } from './account'

test('an operator finds a job, reads why it does not run, and cancels it', async ({ page }) => {
  const { ADMIN_NAME: username = '', ADMIN_PASSWORD: password = '' } = process.env
  expect([username, password], 'ADMIN_NAME and ADMIN_PASSWORD name an operator').not.toContain('')
  const faults = watchConsole(page)
  await page.goto('/admin/jobs?state=scheduled')
  await logIn(page, { username, password, email: '' })
  await expect(page).toHaveURL(/\/admin\/jobs\?state=scheduled$/)
  await expect(page.getByRole('heading', { level: 1, name: 'Jobs' })).toBeVisible()
  await expect(page.getByRole('button', { name: 'Scheduled', exact: true })).toHaveAttribute('aria-pressed', 'true')

  await expect(page.locator('tr[data-job]').first()).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('tag:journey')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/state=scheduled&tag=journey$/)
  await expect(page.locator('tr[data-job]')).toHaveCount(1)
  await shot(page, 'admin-jobs')
  // The keyboard's way: out of the field, to the job, and in.
  await page.locator('main').focus()
  await page.keyboard.press('j')
  await expect(page.locator('tr[data-job] a').first()).toBeFocused()
  await page.keyboard.press('Enter')

  await expect(page).toHaveURL(/\/admin\/jobs\/[0-9a-f-]{36}$/)
  const why = page.getByRole('region', { name: 'Why it is not running' })
  await expect(why).toContainText('It is not due yet')
  await expect(page.getByRole('region', { name: 'Arguments' }).first()).toBeVisible()
  await shot(page, 'admin-job')
  await page.getByRole('button', { name: 'Cancel job' }).click()
  const question = page.getByRole('dialog', { name: 'Cancel this job?' })
  await question.getByRole('button', { name: 'Leave it' }).click()
  await expect(question).toBeHidden()
  await page.keyboard.press('c')
  await question.getByRole('button', { name: 'Cancel job' }).click()

  await expect(why).toBeHidden()
  await expect(page.getByRole('region', { name: 'Why it ended' })).toContainText(`cancelled by ${username}`)
  await expect(page.getByRole('list', { name: 'Timeline' })).toContainText('never')
  await expect(page.getByRole('button', { name: 'Cancel job' })).toBeHidden()
  await expect(page.getByRole('button', { name: 'Retry' })).toBeVisible()
  await shot(page, 'admin-job-ended')
  // Back to the list as it was: the job is no longer among those that wait.
  await page.keyboard.press('Escape')
  await expect(page).toHaveURL(/state=scheduled&tag=journey$/)
  await expect(page.getByRole('heading', { name: 'No job matches' })).toBeVisible()
  await page.getByRole('button', { name: 'Cancelled', exact: true }).click()
  await expect(page.locator('tr[data-job]')).toContainText(`cancelled by ${username}`)
  expect(faults).toEqual([])
})

test('for everybody else there are no admin screens', async ({ page }) => {
  await register(page, somebody())
  await expect(page.getByRole('link', { name: 'My videos' })).toBeVisible()
  await expect(page.getByRole('link', { name: 'Jobs' })).toHaveCount(0)
  await page.goto('/admin/jobs')
  await expect(page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible()
  await expect(page).toHaveURL(/\/admin\/jobs$/)
})
