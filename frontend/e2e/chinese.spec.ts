// The main journey of each page in Chinese: two people and an administrator do what the other journeys do in English, by the
// names that things have here, and no page has a word of another language. ADMIN_NAME and ADMIN_PASSWORD are the
// administrator's.
import { parse } from 'node:path'
import { type Browser, expect, type Locator, type Page, test } from '@playwright/test'
import { logIn, type Person, register, shot, somebody, stopWork, watchConsole } from './account'
import { foreign, listen, untranslated } from './foreign'
import { pagesOf, settled, someOf } from './pages'
import { say } from './words'

const clip = process.env.CLIP ?? ''
const t = say('zh-TW')
const TITLE = '河邊的老水車'
const LIST = '水車與磨坊'
const TAG = '水車'

test.use({ locale: 'zh-TW' })
test.afterEach(stopWork)

async function another(browser: Browser): Promise<Page> {
  return (await browser.newContext({ locale: 'zh-TW', viewport: { width: 1440, height: 900 } })).newPage()
}

const button = (within: Page | Locator, key: string, named?: Record<string, unknown>): Locator => within.getByRole('button', { name: t(key, named), exact: true })
const heading = (page: Page, text: string): Locator => page.getByRole('heading', { name: text })
const media = (page: Page): Locator => page.locator('video')
const time = (page: Page): Promise<number> => media(page).evaluate((video: HTMLVideoElement) => video.currentTime)

async function publish(page: Page): Promise<string> {
  await page.goto('/videos/upload')
  await page.getByLabel(t('upload.file')).setInputFiles(clip)
  await page.getByLabel(t('videos.fieldTitle')).fill(TITLE)
  await button(page, 'upload.publish').click()
  await expect(page.getByRole('list', { name: t('stages.label') })).toBeVisible({ timeout: 60_000 })
  const watch = page.getByRole('link', { name: t('videos.watchNow') })
  await expect(watch).toBeVisible({ timeout: 120_000 })
  await watch.click()
  await expect(page.getByRole('heading', { level: 1, name: TITLE })).toBeVisible()
  return new URL(page.url()).pathname
}

/** What is said in another language on these pages. */
async function walk(page: Page, addresses: string[], names: string[]): Promise<string[]> {
  const faults: string[] = []
  const written = listen(page)
  for (const address of addresses) {
    await page.goto(address)
    await expect(page.locator('html')).toHaveAttribute('lang', 'zh-TW')
    const missing = await settled(page)
    if (missing) faults.push(`${address}: ${missing}`)
    // The engine's jobs are shown by the names that its data has.
    const said = [...(await untranslated(page)), ...(address.startsWith('/admin/jobs') ? [] : await foreign(page, [...names, ...written]))]
    faults.push(...said.map((text) => `${address}: ${text}`))
  }
  return faults
}

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('everything is done and read in Chinese', async ({ page, browser, request }) => {
    test.setTimeout(400_000)
    const { ADMIN_NAME: username = '', ADMIN_PASSWORD: password = '' } = process.env
    expect([username, password], 'ADMIN_NAME and ADMIN_PASSWORD name an administrator').not.toContain('')
    const admin: Person = { username, password, email: '' }
    const [ann, bob] = [somebody(), somebody()]
    const faults = watchConsole(page)

    await register(page, ann, t)
    const path = await publish(page)
    const video = path.split('/').at(-1) ?? ''
    const visitor = await another(browser)
    await register(visitor, bob, t)

    await test.step('watch, follow, like, comment', async () => {
      await visitor.goto(path)
      await button(visitor, 'channels.followName', { name: ann.username }).click()
      await expect(button(visitor, 'channels.unfollowName', { name: ann.username })).toBeVisible()
      await visitor.getByRole('button', { name: new RegExp(`^${t('around.like')}`) }).first().click()
      await expect(visitor.getByRole('button', { name: t('around.likes', { n: 1 }, 1) })).toHaveAttribute('aria-pressed', 'true')
      await visitor.getByLabel(t('comments.add')).fill('水車真美，看 0:03')
      await button(visitor, 'comments.send').click()
      await expect(visitor.getByRole('article', { name: bob.username })).toContainText('水車真美')

      await page.getByRole('button', { name: t('comments.fresh', { n: 1 }, 1) }).click()
      await button(page.getByRole('article', { name: bob.username }), 'comments.reply').click()
      await page.getByLabel(t('comments.addReply', { name: bob.username })).fill('一八九〇年蓋的')
      await button(page, 'comments.reply').last().click()
      await expect(page.getByText('一八九〇年蓋的')).toBeVisible()

      await button(visitor, 'comments.jump', { time: '0:03' }).click()
      await expect.poll(() => time(visitor), { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
      await media(visitor).evaluate((video: HTMLVideoElement) => {
        video.muted = true
        video.currentTime = 6
      })
      await expect.poll(() => time(visitor), { timeout: 30_000 }).toBeGreaterThan(6.5)
      const kept = visitor.waitForResponse((answer) => answer.url().endsWith('/watch/report') && answer.status() === 204)
      await media(visitor).evaluate((video: HTMLVideoElement) => video.pause())
      await kept
      await shot(visitor, 'zh-watch')
    })

    await test.step('keep, share, report', async () => {
      await button(visitor, 'keep.save').click()
      await visitor.getByRole('checkbox', { name: t('keep.later') }).check()
      await button(visitor, 'keep.create').click()
      await visitor.getByRole('textbox', { name: t('keep.title') }).fill(LIST)
      await button(visitor.getByRole('dialog', { name: t('keep.create') }), 'app.save').click()
      await button(visitor, 'keep.share').click()
      await expect(visitor.getByLabel(t('keep.link'), { exact: true })).toHaveValue(new RegExp(`${path}$`))
      await visitor.keyboard.press('Escape')
      await button(visitor, 'keep.report').first().click()
      const report = visitor.getByRole('dialog', { name: t('reports.title') })
      await report.getByLabel(t('reports.misleading')).check()
      await button(report, 'reports.send').click()
      await expect(visitor.getByText(t('reports.sent')).last()).toBeVisible()
    })

    let list = ''
    await test.step('history, home, playlists, channel', async () => {
      await visitor.goto('/')
      await expect(visitor.getByRole('region', { name: t('keep.unfinished') }).getByRole('link', { name: TITLE })).toBeVisible()
      await visitor.goto('/history')
      await expect(visitor.getByRole('link', { name: new RegExp(TITLE) })).toBeVisible()
      await button(visitor, 'keep.forget', { title: TITLE }).click()
      await expect(heading(visitor, t('keep.historyEmpty'))).toBeVisible()
      await visitor.goto('/playlists')
      await visitor.getByRole('link', { name: new RegExp(LIST) }).click()
      await visitor.getByRole('link', { name: t('keep.playAll') }).click()
      await expect(heading(visitor, t('keep.queue', { title: LIST }))).toBeVisible()
      list = new URL(visitor.url()).searchParams.get('list') ?? ''
      await visitor.goto(`/channels/${ann.username}`)
      await expect(visitor.getByText(t('channels.followers', { n: 1 }, 1))).toBeVisible()
    })

    await test.step('studio', async () => {
      await page.goto('/studio')
      await page.getByRole('link', { name: t('studio.table.edit', { title: TITLE }) }).click()
      await page.getByRole('textbox', { name: t('studio.labels.tags') }).fill(TAG)
      await page.keyboard.press('Enter')
      await button(page, 'app.save').click()
      await expect(page.getByText(t('videos.saved')).last()).toBeVisible()
      await page.getByRole('tab', { name: t('studio.tabs.chapters') }).click()
      await button(page, 'studio.chapters.add').click()
      await page.getByLabel(t('studio.chapters.name', { n: 1 })).fill('開場')
      await button(page, 'app.save').click()
      await expect(page.getByText(t('studio.chapters.listed'))).toBeVisible()
      await shot(page, 'zh-studio')
    })

    await test.step('search and tags', async () => {
      const field = visitor.getByRole('combobox', { name: t('discovery.searchFor') })
      await field.fill('水車')
      await visitor.keyboard.press('Enter')
      await expect(visitor.getByRole('heading', { level: 1, name: t('discovery.results', { query: '水車' }) })).toBeVisible()
      const found = visitor.getByRole('main').getByRole('link', { name: new RegExp(TITLE) }).first()
      await expect(found).toBeVisible()
      await button(visitor, 'discovery.filters').click()
      // The words of the select lie above its field.
      await visitor.getByRole('combobox', { name: t('discovery.duration') }).click({ force: true })
      await visitor.getByRole('option', { name: t('discovery.long') }).click()
      await expect(heading(visitor, t('discovery.noneFiltered'))).toBeVisible()
      await button(visitor, 'discovery.removeFilters').first().click()
      await found.click()

      await visitor.getByRole('link', { name: `#${TAG}` }).click()
      await expect(visitor).toHaveURL(/\/search\?tag=/)
      await expect(visitor.getByRole('heading', { level: 1, name: `#${TAG}` })).toBeVisible()
      await expect(found).toBeVisible()
      await shot(visitor, 'zh-tag')
      await button(visitor, 'discovery.remove', { name: t('discovery.withTag', { name: TAG }) }).click()
      await expect(heading(visitor, t('discovery.startTitle'))).toBeVisible()
      await visitor.goto('/trending')
      await expect(visitor.getByRole('heading', { level: 1, name: t('discovery.trending') })).toBeVisible()
    })

    await test.step('notifications and profile', async () => {
      await page.goto('/notifications')
      await expect(page.getByRole('link', { name: t('notifications.kinds.follower', { actor: bob.username }) })).toBeVisible()
      await page.goto('/notifications/settings')
      const mail = page.getByRole('switch', { name: `${t('notifications.preferences.comment')}: ${t('notifications.preferences.email')}` })
      await expect(mail).toBeChecked()
      await page.locator('tr', { hasText: t('notifications.preferences.comment') }).locator('.el-switch').nth(1).click()
      await expect(mail).not.toBeChecked()
      await page.goto('/profile')
      await page.getByLabel(t('account.bio')).fill('我拍河流。')
      await button(page, 'app.save').click()
      await expect(page.getByText(t('account.saved')).last()).toBeVisible()
    })

    const staff = await another(browser)
    await test.step('moderation', async () => {
      await staff.goto('/admin/reports')
      await logIn(staff, admin, t)
      await expect(staff.getByRole('heading', { level: 1, name: t('moderation.title') })).toBeVisible()
      await staff.getByRole('link', { name: TITLE }).first().click()
      await expect(staff.getByRole('region', { name: t('moderation.complaints') })).toContainText(t('reports.misleading'))
      await button(staff, 'moderation.dismiss').click()
      await button(staff.getByRole('dialog', { name: t('moderation.dismiss') }), 'moderation.confirm').click()
      await expect(staff.getByText(t('moderation.decided')).last()).toBeVisible()
      await expect(staff.getByRole('region', { name: t('moderation.history'), exact: true })).toContainText(t('moderation.did.dismiss'))
    })
    const report = new URL(staff.url()).pathname.split('/').at(-1) ?? ''

    await test.step('nothing there', async () => {
      await visitor.goto('/no/such/page')
      await expect(heading(visitor, t('errorPage.notFound'))).toBeVisible()
      await visitor.getByRole('link', { name: t('errorPage.goHome') }).click()
      await expect(visitor).toHaveURL(/\/$/)
    })
    expect(faults).toEqual([])

    const pages = pagesOf({ person: ann, video, list, words: TITLE, tag: TAG, report, job: await someOf(request, admin, '/api/admin/jobs') })
    // The address of whom a page is for, the file, and the words of a search.
    const names = [ann.email, bob.email, parse(clip).name, 'nothing-like-it']
    const guest = await another(browser)
    const said = [
      ...(await walk(guest, [...pages.open, ...pages.guest], names)),
      ...(await walk(page, pages.own, names)),
      ...(await walk(visitor, pages.other, names)),
      ...(await walk(staff, pages.admin, names)),
    ]
    expect([...new Set(said)].join('\n')).toBe('')
    for (const other of [visitor, staff, guest]) await other.context().close()
  })
})
