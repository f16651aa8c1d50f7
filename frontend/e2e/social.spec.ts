// What viewers do: one uploads, the other follows, likes, comments, is answered and pinned, goes on where they stopped, and
// keeps the video in a list.
import { type Browser, expect, type Page, test } from '@playwright/test'
import { type Person, register, shot, somebody, stopWork, watchConsole } from './account'

const clip = process.env.CLIP ?? ''
test.afterEach(stopWork)

async function newcomer(browser: Browser, person: Person): Promise<Page> {
  const page = await (await browser.newContext({ locale: 'en-US', viewport: { width: 1440, height: 900 } })).newPage()
  await register(page, person)
  return page
}

async function publish(page: Page, title: string): Promise<string> {
  await page.goto('/videos/upload')
  await page.getByLabel('Video file').setInputFiles(clip)
  await page.getByLabel('Title').fill(title)
  await page.getByRole('button', { name: 'Publish' }).click()
  const watch = page.getByRole('link', { name: 'Watch now' })
  await expect(watch).toBeVisible({ timeout: 120_000 })
  await watch.click()
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible()
  return new URL(page.url()).pathname
}

const time = (page: Page): Promise<number> => page.locator('video').evaluate((video: HTMLVideoElement) => video.currentTime)

test.describe('with a clip', () => {
  test.skip(clip === '', 'CLIP names a video file')

  test('two people talk below a video', async ({ page, browser }) => {
    const faults = watchConsole(page)
    const [ann, bob] = [somebody(), somebody()]
    await register(page, ann)
    const path = await publish(page, 'A mill by the river')
    const visitor = await newcomer(browser, bob)
    await visitor.goto(path)

    await visitor.getByRole('button', { name: `Follow ${ann.username}` }).click()
    await expect(visitor.getByRole('button', { name: `Stop following ${ann.username}` })).toBeVisible()
    await visitor.getByRole('button', { name: /^Like, no likes/ }).click()
    await expect(visitor.getByRole('button', { name: /1 like/ })).toHaveAttribute('aria-pressed', 'true')

    await visitor.getByLabel('Add a comment').fill('Lovely wheel at 0:03')
    await visitor.getByRole('button', { name: 'Comment', exact: true }).click()
    const said = visitor.getByRole('article', { name: bob.username })
    await expect(said).toContainText('Lovely wheel')

    // It arrives without a reload; its author is answered, and pinned.
    await page.getByRole('button', { name: '1 new comment' }).click()
    const heard = page.getByRole('article', { name: bob.username })
    await heard.getByRole('button', { name: 'Reply', exact: true }).click()
    await page.getByLabel(`Reply to ${bob.username}`).fill('Built in 1890')
    await page.getByRole('button', { name: 'Reply', exact: true }).last().click()
    await expect(page.getByText('Built in 1890')).toBeVisible()
    await heard.getByRole('button', { name: `Actions for the comment of ${bob.username}` }).click()
    await page.getByRole('menuitem', { name: 'Pin', exact: true }).click()
    await expect(visitor.getByText(`Pinned by ${ann.username}`)).toBeVisible()
    await visitor.getByRole('button', { name: '1 reply' }).click()
    await expect(visitor.getByText('Built in 1890')).toBeVisible()
    await shot(visitor, 'comments')

    // A time leads into the video.
    await visitor.getByRole('button', { name: 'Go to 0:03' }).click()
    await expect.poll(() => time(visitor), { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
    await visitor.locator('video').evaluate((video: HTMLVideoElement) => {
      video.muted = true
      video.currentTime = 6
    })
    await expect.poll(() => time(visitor), { timeout: 30_000 }).toBeGreaterThan(6.5)
    const kept = visitor.waitForResponse((answer) => answer.url().endsWith('/watch/report') && answer.status() === 204)
    await visitor.locator('video').evaluate((video: HTMLVideoElement) => video.pause())
    await kept

    // After a reload it goes on where it stopped; the home page and the history know.
    await visitor.reload()
    await expect.poll(() => time(visitor), { timeout: 30_000 }).toBeGreaterThan(6)
    await visitor.goto('/')
    await expect(visitor.getByRole('region', { name: 'Continue watching' }).getByRole('link', { name: 'A mill by the river' })).toBeVisible()
    await expect(visitor.getByRole('region', { name: 'From those you follow' }).getByRole('link', { name: 'A mill by the river' })).toBeVisible()
    await shot(visitor, 'home-rows')
    await visitor.goto('/history')
    await expect(visitor.getByRole('link', { name: /A mill by the river/ })).toBeVisible()
    await visitor.getByRole('button', { name: 'Remove “A mill by the river” from the history' }).click()
    await expect(visitor.getByRole('heading', { name: 'Nothing watched yet' })).toBeVisible()

    // It is kept in a list, and passed on.
    await visitor.goto(path)
    await visitor.getByRole('button', { name: 'Save', exact: true }).click()
    await visitor.getByRole('checkbox', { name: 'Watch later' }).check()
    await visitor.getByRole('button', { name: 'New playlist' }).click()
    await visitor.getByRole('textbox', { name: 'Title' }).fill('Mills')
    await visitor.getByRole('dialog', { name: 'New playlist' }).getByRole('button', { name: 'Save' }).click()
    await visitor.getByRole('button', { name: 'Share', exact: true }).click()
    await expect(visitor.getByLabel('Link', { exact: true })).toHaveValue(new RegExp(`${path}$`))
    await visitor.goto('/playlists')
    await expect(visitor.getByRole('link', { name: /Watch later/ })).toContainText('1 video')
    await visitor.getByRole('link', { name: /Mills/ }).click()
    await visitor.getByRole('link', { name: 'Play all' }).click()
    await expect(visitor.getByRole('heading', { name: 'Playlist: Mills' })).toBeVisible()
    await shot(visitor, 'play-queue')

    await visitor.goto(`/channels/${ann.username}`)
    await expect(visitor.getByText('1 follower · 1 video')).toBeVisible()
    await shot(visitor, 'channel')
    await visitor.goto(path.replace('/videos/', '/embed/'))
    await expect(visitor.getByRole('link', { name: /A mill by the river · Watch on Millrace/ })).toBeVisible()
    await expect(visitor.getByRole('navigation')).toHaveCount(0)
    await shot(visitor, 'embed')
    await visitor.context().close()
    expect(faults).toEqual([])
  })
})
