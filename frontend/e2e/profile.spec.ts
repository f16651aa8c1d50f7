// The page about oneself: profile, picture, password, second factor, devices.
import { createHmac } from 'node:crypto'
import { expect, test } from '@playwright/test'
import { logIn, register, shot, somebody, watchConsole } from './account'

/** What an authenticator application shows for this key at this time (RFC 6238). */
function codeOf(key: string, time: number): string {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...key.replaceAll(' ', '')].map((letter) => letters.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const secret = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => parseInt(byte, 2)))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(time / 30_000)))
  const mac = createHmac('sha1', secret).update(counter).digest()
  const offset = (mac.at(-1) ?? 0) & 15
  return String((mac.readUInt32BE(offset) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

/** A picture of 2 by 2 pixels. */
const PICTURE = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR42mOQLboKQQwQCgAs8gZhrPAtUAAAAABJRU5ErkJggg==', 'base64')

test('a person says something of themselves and gets a picture', async ({ page }) => {
  const faults = watchConsole(page)
  const person = somebody()
  await register(page, person)
  await page.getByRole('button', { name: `Account of ${person.username}` }).click()
  await page.getByRole('menuitem', { name: 'Profile' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Your profile' })).toBeVisible()
  await page.getByLabel('About you').fill('I film rivers.')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Saved.')).toBeVisible()
  await page.locator('input[type=file]').setInputFiles({ name: 'me.png', mimeType: 'image/png', buffer: PICTURE })
  await expect(page.getByText('This is you now.')).toBeVisible()
  const picture = page.locator('.avatar-editor img')
  await expect(picture).toHaveAttribute('src', /\/api\/avatars\/[^/]+\/256$/)
  await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256)
  await shot(page, 'profile')
  await page.reload()
  await expect(page.getByLabel('About you')).toHaveValue('I film rivers.')
  await expect(picture).toBeVisible()
  await page.locator('input[type=file]').setInputFiles({ name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') })
  await expect(page.getByText('This picture cannot be read. Try another one.')).toBeVisible()
  await page.getByRole('button', { name: 'Remove' }).click()
  await expect(picture).toHaveCount(0)
  expect(faults).toEqual([])
})

test('log-in asks for a code once a second factor is set up', async ({ page }) => {
  const person = somebody()
  await register(page, person)
  await page.goto('/profile/security')
  await page.getByRole('button', { name: 'Set up' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Password', { exact: true }).fill(person.password)
  await dialog.getByRole('button', { name: 'Continue' }).click()
  await expect(dialog.getByRole('img', { name: 'QR code' })).toBeVisible()
  await shot(page, 'second-factor')
  const key = (await dialog.locator('.key code').textContent()) ?? ''
  await dialog.getByLabel('Code', { exact: true }).fill('000000')
  await dialog.getByRole('button', { name: 'Switch on' }).click()
  await expect(dialog.getByText('This code is wrong')).toBeVisible()
  await dialog.getByLabel('Code', { exact: true }).fill(codeOf(key, Date.now()))
  await dialog.getByRole('button', { name: 'Switch on' }).click()
  await expect(dialog.getByRole('listitem')).toHaveCount(10)
  const recovery = (await dialog.getByRole('listitem').first().textContent()) ?? ''
  await dialog.getByRole('button', { name: 'I have kept them' }).click()
  await expect(page.getByText('10 recovery codes are left.')).toBeVisible()

  await page.getByRole('button', { name: `Account of ${person.username}` }).click()
  await page.getByRole('menuitem', { name: 'Log out' }).click()
  await page.getByRole('link', { name: 'Log in' }).click()
  await logIn(page, person)
  await expect(page.getByRole('heading', { level: 1, name: 'One more step' })).toBeVisible()
  await shot(page, 'second-step')
  // The next code: the one of now was used.
  await page.getByLabel('Code or recovery code').fill('123')
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page.getByText('This code is wrong')).toBeVisible()
  await page.getByLabel('Code or recovery code').fill(recovery)
  await page.getByRole('button', { name: 'Continue' }).click()
  await expect(page).toHaveURL(/\/dashboard$/)
  await page.goto('/profile/security')
  await expect(page.getByText('9 recovery codes are left.')).toBeVisible()
})

test('a device is signed out from another one', async ({ browser, page }) => {
  const person = somebody()
  await register(page, person)
  const other = await browser.newContext({ userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1' })
  const phone = await other.newPage()
  await phone.goto('/login')
  await logIn(phone, person)
  await expect(phone).toHaveURL(/\/dashboard$/)

  await page.goto('/profile/devices')
  await expect(page.getByText('This device')).toBeVisible()
  await shot(page, 'devices')
  await page.getByRole('button', { name: 'Sign out Safari on iOS' }).click()
  await expect(page.getByText('Safari on iOS is signed out.')).toBeVisible()
  await expect(page.getByRole('button', { name: 'Sign out Safari on iOS' })).toHaveCount(0)
  await phone.goto('/videos')
  await expect(phone).toHaveURL(/\/login/)
  await other.close()

  await page.getByRole('button', { name: 'Sign out everywhere' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click()
  await expect(page).toHaveURL(/\/login/)
})

test('another password is taken, and the old one is refused', async ({ page }) => {
  const person = somebody()
  await register(page, person)
  await page.goto('/profile/security')
  await page.getByLabel('Current password').fill('wrong')
  await page.getByLabel('New password').fill('copper-lantern-17-meadow')
  await page.getByRole('button', { name: 'Change password' }).click()
  await expect(page.getByText('This password is wrong.')).toBeVisible()
  await page.getByLabel('Current password').fill(person.password)
  await page.getByRole('button', { name: 'Change password' }).click()
  await expect(page.getByText('Your password is changed.')).toBeVisible()
})
