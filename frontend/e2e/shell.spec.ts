// The frame of the pages: languages, themes, addresses that lead nowhere, keyboards and narrow screens.
import { expect, test } from '@playwright/test'
import { shot } from './account'

test('language and theme are switched and remembered', async ({ page }) => {
  await page.goto('/')
  await page.getByRole('button', { name: 'Language' }).click()
  await page.getByRole('menuitem', { name: '繁體中文' }).click()
  await expect(page.locator('html')).toHaveAttribute('lang', 'zh-TW')
  await expect(page.getByRole('link', { name: '登入' })).toBeVisible()
  await page.getByRole('button', { name: '外觀' }).click()
  await page.getByRole('menuitem', { name: '深色' }).click()
  await expect(page.locator('html')).toHaveClass(/dark/)
  await shot(page, 'home-dark-zh')
  await page.reload()
  await expect(page.getByRole('link', { name: '登入' })).toBeVisible()
  await expect(page.locator('html')).toHaveClass(/dark/)
})

test('the browser chooses the first language', async ({ browser }) => {
  const context = await browser.newContext({ locale: 'zh-TW' })
  const page = await context.newPage()
  await page.goto('/login')
  await expect(page.getByRole('heading', { level: 1, name: '歡迎回來' })).toBeVisible()
  await context.close()
})

test('an unknown address and an unknown video are answered kindly', async ({ page }) => {
  await page.goto('/no/such/page')
  await expect(page.getByRole('heading', { name: 'There is nothing here' })).toBeVisible()
  await shot(page, '404')
  await page.getByRole('link', { name: 'Go to the home page' }).click()
  await expect(page).toHaveURL(/\/$/)
  await page.goto('/videos/01890000-0000-7000-8000-000000000000')
  await expect(page.getByRole('heading', { name: 'This video does not exist' })).toBeVisible()
})

test('the first stop of the keyboard skips the navigation', async ({ page }) => {
  await page.goto('/')
  await expect(page.getByRole('link', { name: 'Log in' })).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('link', { name: 'Skip to content' })).toBeFocused()
  await page.keyboard.press('Enter')
  await expect(page.locator('main')).toBeFocused()
})

test('a narrow screen has its navigation in a drawer and never scrolls sideways', async ({ page }) => {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const address of ['/', '/login', '/register', '/no/such/page']) {
    await page.goto(address)
    await expect(page.locator('main')).toBeVisible()
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390)
  }
  await page.getByRole('button', { name: 'Menu' }).click()
  await page.getByRole('dialog').getByRole('link', { name: 'Log in' }).click()
  await expect(page).toHaveURL(/\/login$/)
})
