// News: the bell counts live, leads to what happened, and people choose what they hear of.
import { expect, test } from '@playwright/test'
import { register, shot, somebody, watchConsole } from './account'

test('a video that fails rings the bell, on every open page', async ({ context, page }) => {
  const faults = watchConsole(page)
  await register(page, somebody())
  const bell = page.getByRole('button', { name: /^Notifications:/ })
  await expect(bell).toHaveAccessibleName('Notifications: nothing new')
  const second = await context.newPage()
  await second.goto('/notifications')
  await expect(second.getByRole('heading', { name: 'Nothing yet' })).toBeVisible()

  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles({ name: 'letter.mp4', mimeType: 'video/mp4', buffer: Buffer.from('Dear Ann, this is no film.') })
  await expect(bell).toHaveAccessibleName('Notifications: 1 new', { timeout: 60_000 })
  await expect(second.getByRole('link', { name: /letter could not be processed/ })).toBeVisible()
  await shot(second, 'notifications')

  await bell.click()
  await shot(page, 'notifications-panel')
  await page.getByRole('region', { name: 'Notifications' }).getByRole('link', { name: /letter could not be processed/ }).click()
  await expect(page).toHaveURL(/\/videos\/[0-9a-f-]{36}$/)
  await expect(bell).toHaveAccessibleName('Notifications: nothing new')
  await expect(second.getByRole('button', { name: /^Notifications:/ })).toHaveAccessibleName('Notifications: nothing new')
  expect(faults).toEqual([])
})

test('what one does not want to hear of stays off', async ({ page }) => {
  await register(page, somebody())
  await page.goto('/notifications/settings')
  const mail = page.getByRole('switch', { name: 'A video of yours is ready: By mail' })
  await expect(mail).toBeChecked()
  await page.locator('tr', { hasText: 'A video of yours is ready' }).locator('.el-switch').nth(1).click()
  await expect(mail).not.toBeChecked()
  await page.reload()
  await expect(mail).not.toBeChecked()
  await expect(page.getByRole('switch', { name: 'A video of yours is ready: Here' })).toBeChecked()
  await shot(page, 'notification-settings')
})

test('a link that is not ours says so', async ({ page }) => {
  await page.goto('/unsubscribe?token=x.y.z')
  await page.getByRole('button', { name: 'Stop this mail' }).click()
  await expect(page.getByRole('heading', { name: 'This link does not work any more' })).toBeVisible()
})
