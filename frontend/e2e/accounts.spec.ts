// Registering, logging in and out, and what happens with bad input.
import { expect, test } from '@playwright/test'
import { logIn, register, shot, somebody, watchConsole } from './account'

test('a person registers, logs out, and comes back to the page they wanted', async ({ page }) => {
  const faults = watchConsole(page)
  const person = somebody()
  await register(page, person)
  await shot(page, 'dashboard-empty')
  await page.reload()
  await expect(page.getByRole('heading', { level: 1, name: `Hello, ${person.username}` })).toBeVisible()

  await page.getByRole('button', { name: `Account of ${person.username}` }).click()
  await page.getByRole('menuitem', { name: 'Log out' }).click()
  await expect(page.getByRole('link', { name: 'Log in' })).toBeVisible()

  await page.goto('/videos?q=river')
  await expect(page).toHaveURL(/\/login\?redirect=/)
  await logIn(page, person)
  await expect(page).toHaveURL(/\/videos\?q=river$/)
  await expect(page.getByRole('heading', { level: 1, name: 'My videos' })).toBeVisible()
  expect(faults).toEqual([])
})

test('logging out in one tab logs the other out', async ({ context, page }) => {
  const person = somebody()
  await register(page, person)
  const second = await context.newPage()
  await second.goto('/videos')
  await expect(second.getByRole('heading', { level: 1, name: 'My videos' })).toBeVisible()
  await page.getByRole('button', { name: `Account of ${person.username}` }).click()
  await page.getByRole('menuitem', { name: 'Log out' }).click()
  await expect(second).toHaveURL(/\/login/)
})

test('bad input is explained beside the field', async ({ page }) => {
  await page.goto('/register')
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByText('Please fill this in.')).toHaveCount(3)
  await page.getByLabel('Username').fill('a b')
  await page.getByLabel('Email').fill('nobody')
  await page.getByLabel('Password', { exact: true }).fill('short')
  await expect(page.getByText('Only letters, digits, dots, dashes and underscores.')).toBeVisible()
  await expect(page.getByText('This does not look like an email address.')).toBeVisible()
  await expect(page.getByText('At least 8 characters.', { exact: true })).toBeVisible()
  await shot(page, 'register-faults')

  const person = somebody()
  await register(page, person)
  await page.getByRole('button', { name: `Account of ${person.username}` }).click()
  await page.getByRole('menuitem', { name: 'Log out' }).click()
  await expect(page.getByRole('link', { name: 'Log in' })).toBeVisible()
  await page.goto('/register')
  await page.getByLabel('Username').fill(person.username)
  await page.getByLabel('Email').fill(`x${person.email}`)
  await page.getByLabel('Password', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Create account' }).click()
  await expect(page.getByText('This username is taken.')).toBeVisible()
})

test('a wrong password is refused in words', async ({ page }) => {
  await page.goto('/login')
  await logIn(page, somebody())
  await expect(page.getByRole('alert')).toContainText('Username, email or password is wrong.')
  await shot(page, 'login-refused')
})
