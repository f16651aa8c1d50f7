// Coming by invitation. INVITED_BY and INVITED_BY_PASSWORD are an administrator's, of a server where registration is by
// invitation: see tests/e2e/browser.rs.
import { expect, type Page, test } from '@playwright/test'
import { logIn, type Person, shot, somebody, watchConsole } from './account'

const { INVITED_BY: username = '', INVITED_BY_PASSWORD: password = '' } = process.env

async function fill(page: Page, person: Person): Promise<void> {
  await page.getByLabel('Username').fill(person.username)
  await page.getByLabel('Email').fill(person.email)
  await page.getByLabel('Password', { exact: true }).fill(person.password)
  await page.getByRole('button', { name: 'Create account' }).click()
}

if (username !== '') {
  test('an invitation lets one person in, and no other', async ({ page, browser }) => {
    const faults = watchConsole(page)
    await page.goto('/register')
    await expect(page.getByText('Registration is by invitation.')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Create account' })).toHaveCount(0)

    await page.goto('/admin/invites')
    await logIn(page, { username, password, email: '' })
    await expect(page.getByRole('heading', { level: 1, name: 'Invitations' })).toBeVisible()
    await page.getByLabel('For whom').fill('Ann, who films mills')
    await page.getByRole('button', { name: 'New invitation' }).click()
    const link = (await page.locator('.made code').textContent()) ?? ''
    expect(link).toMatch(/\/register#invite=\S+$/)
    await shot(page, 'invitation')

    const guest = await (await browser.newContext({ locale: 'en-US' })).newPage()
    const ann = somebody()
    await guest.goto(link)
    await expect(guest.getByText('You were invited: choose a name and a password.')).toBeVisible()
    await fill(guest, ann)
    await expect(guest.getByRole('heading', { level: 1, name: `Hello, ${ann.username}` })).toBeVisible()

    const late = await (await browser.newContext({ locale: 'en-US' })).newPage()
    await late.goto(link)
    await fill(late, somebody())
    await expect(late.getByRole('alert')).toContainText('This invitation was used, or is too old.')

    await page.reload()
    await expect(page.getByText(`used by ${ann.username}`)).toBeVisible()
    // One that is taken back lets nobody in.
    await page.getByRole('button', { name: 'New invitation' }).click()
    await expect(page.locator('.made code')).toBeVisible()
    const taken = (await page.locator('.made code').textContent()) ?? ''
    await page.getByRole('button', { name: 'Take back' }).click()
    await expect(page.locator('.made code')).toHaveCount(0)
    await late.goto('about:blank')
    await late.goto(taken)
    await fill(late, somebody())
    await expect(late.getByRole('alert')).toContainText('This invitation was used, or is too old.')
    expect(faults).toEqual([])
  })
}
