// Every page in both languages, light and dark, wide and narrow: nothing that axe finds fault with, and no scrolling
// sideways. ADMIN_NAME and ADMIN_PASSWORD are an administrator's.
import { AxeBuilder } from '@axe-core/playwright'
import { type Browser, expect, type Page, test } from '@playwright/test'
import { type Person, shot } from './account'
import { makePages, type Pages } from './pages'

const clip = process.env.CLIP ?? ''
const LANGUAGES = ['en', 'zh-TW'] as const
const LOOKS = [
  { scheme: 'light', width: 1440 },
  { scheme: 'dark', width: 1440 },
  { scheme: 'light', width: 390 },
  { scheme: 'dark', width: 390 },
] as const

test.skip(clip === '', 'CLIP names a video file')
test.describe.configure({ mode: 'serial', timeout: 400_000 })

let pages: Pages
let admin: Person

test.beforeAll(async ({ request }) => {
  const { ADMIN_NAME: username = '', ADMIN_PASSWORD: password = '' } = process.env
  expect([username, password], 'ADMIN_NAME and ADMIN_PASSWORD name an administrator').not.toContain('')
  admin = { username, password, email: '' }
  pages = await makePages(request, clip, admin)
})

for (const language of LANGUAGES) {
  test(`visitors find every page accessible (${language})`, async ({ browser }) => {
    await walk(browser, language, null, () => [...pages.open, ...pages.guest])
  })
  test(`people find every page accessible (${language})`, async ({ browser }) => {
    await walk(browser, language, pages.person, () => [...pages.open, ...pages.own])
  })
  test(`administrators find every page accessible (${language})`, async ({ browser }) => {
    await walk(browser, language, admin, () => pages.admin)
  })
}

async function walk(browser: Browser, language: string, person: Person | null, addresses: () => string[]): Promise<void> {
  const context = await browser.newContext({ locale: language, reducedMotion: 'reduce', bypassCSP: true })
  if (person) {
    const answer = await context.request.post('/api/auth/login', { data: { identifier: person.username, password: person.password } })
    expect(answer.status()).toBe(200)
  }
  const page = await context.newPage()
  const faults: string[] = []
  for (const address of addresses()) {
    await page.goto(address)
    await settled(page)
    for (const { scheme, width } of LOOKS) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
      const name = `${address} ${language} ${scheme} ${String(width)}`
      await shot(page, name.replaceAll(/[^\w]+/g, '-'))
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      if (wide > width) faults.push(`${name}: ${String(wide)} pixels wide`)
      const { violations } = await new AxeBuilder({ page }).analyze()
      for (const { id, nodes } of violations) {
        faults.push(`${name}: ${id}: ${nodes.map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`).slice(0, 4).join(' | ')}`)
      }
    }
  }
  await context.close()
  expect(faults.join('\n')).toBe('')
}

/** The page shows what it has to show, and moves no more. */
async function settled(page: Page): Promise<void> {
  await page.addStyleTag({ content: '*, ::before, ::after { transition: none !important; animation: none !important }' })
  await expect(page.locator('h1, video').first()).toBeVisible()
  await expect(page.locator('.ghost, .el-skeleton, .unknown, [aria-busy=true]')).toHaveCount(0)
}
