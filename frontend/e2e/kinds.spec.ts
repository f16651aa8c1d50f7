// Every kind of input plays to its end. KINDS lists the videos, made before: see tests/e2e/kinds.rs.
import { expect, test } from '@playwright/test'

interface Kind {
  id: string
  title: string
  picture: boolean
  sound: boolean
  /** Of the qualities, as `640x360`. */
  sizes: string[]
}

const kinds = JSON.parse(process.env.KINDS ?? '[]') as Kind[]

for (const kind of kinds) {
  test(`${kind.title} plays to its end`, async ({ page }) => {
    await page.goto(`/videos/${kind.id}`)
    await expect(page.getByRole('heading', { level: 1, name: kind.title })).toBeVisible()
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    const video = page.locator('video')
    await expect.poll(() => video.evaluate((v: HTMLVideoElement) => v.ended), { timeout: 30_000 }).toBe(true)
    const seen = await video.evaluate((v: HTMLVideoElement) => ({
      error: v.error?.message,
      size: `${String(v.videoWidth)}x${String(v.videoHeight)}`,
      frames: v.getVideoPlaybackQuality().totalVideoFrames,
      sound: (v as unknown as { webkitAudioDecodedByteCount: number }).webkitAudioDecodedByteCount,
    }))
    expect(seen.error).toBeUndefined()
    if (kind.picture) {
      expect(kind.sizes).toContain(seen.size)
      expect(seen.frames).toBeGreaterThan(0)
    }
    expect(seen.sound > 0).toBe(kind.sound)
  })
}
