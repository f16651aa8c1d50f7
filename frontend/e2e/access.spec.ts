// Every page, light and dark, wide and narrow: nothing that axe finds fault with, and no scrolling sideways. ACCESS lists
// the languages, such as `en,zh-TW`; ADMIN_NAME and ADMIN_PASSWORD are an administrator's. It takes minutes, so it is a
// command of its own: `make check-pages`.
import { AxeBuilder } from '@axe-core/playwright'
import { type Browser, expect, test } from '@playwright/test'
import { type Person, shot } from './account'
import { makePages, settled } from './pages'

const clip = process.env.CLIP ?? ''
const languages = (process.env.ACCESS ?? '').split(',').filter(Boolean)
const LOOKS = [
  { scheme: 'light', width: 1440 },
  { scheme: 'dark', width: 1440 },
  { scheme: 'light', width: 390 },
  { scheme: 'dark', width: 390 },
] as const

for (const language of languages) test(`every page is accessible (${language})`, async ({ browser, request }) => {
  test.setTimeout(900_000)
  const { ADMIN_NAME: username = '', ADMIN_PASSWORD: password = '' } = process.env
  expect([username, password], 'ADMIN_NAME and ADMIN_PASSWORD name an administrator').not.toContain('')
  const admin = { username, password, email: '' }
  const pages = await makePages(request, clip, admin)
  const faults = [
    ...(await walk(browser, language, null, [...pages.open, ...pages.guest])),
    ...(await walk(browser, language, pages.person, [...pages.other, ...pages.own])),
    ...(await walk(browser, language, admin, pages.admin)),
  ]
  expect(faults.join('\n')).toBe('')
})

/** What is wrong with these pages. */
async function walk(browser: Browser, language: string, person: Person | null, addresses: string[]): Promise<string[]> {
  const context = await browser.newContext({ locale: language, reducedMotion: 'reduce', bypassCSP: true })
  if (person) {
    const answer = await context.request.post('/api/auth/login', { data: { identifier: person.username, password: person.password } })
    expect(answer.status()).toBe(200)
  }
  const page = await context.newPage()
  const faults: string[] = []
  for (const address of addresses) {
    await page.goto(address)
    await page.addStyleTag({ content: '*, ::before, ::after { transition: none !important; animation: none !important }' })
    const missing = await settled(page)
    if (missing) faults.push(`${address}: ${missing}`)
    for (const { scheme, width } of LOOKS) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height: width === 390 ? 844 : 900 })
      const name = `${address} ${person?.username ?? 'visitor'} ${language} ${scheme} ${String(width)}`
      await shot(page, name.replaceAll(/[^\w]+/g, '-'))
      const wide = await page.evaluate(() => document.documentElement.scrollWidth)
      if (wide > width) faults.push(`${name}: ${String(wide)} pixels wide`)
      const { violations } = await new AxeBuilder({ page }).analyze()
      for (const { id, nodes } of violations) {
        const where = nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${(node.any[0] ?? node.all[0] ?? node.none[0])?.message ?? ''}`)
        faults.push(`${name}: ${id}: ${where.join(' | ')}`)
      }
    }
  }
  await context.close()
  return faults
}
