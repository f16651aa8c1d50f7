// Measures home, video and upload page by Lighthouse, as a desktop computer and as a phone, and fails below the marks.
// A phone is Lighthouse's own: a quarter of this processor, and 1.6 Mbit/s with 150 ms of delay. It has no mark for
// performance: the 190 KiB of the application take a second of such a line before anything is seen.
// BASE_URL, VIDEO, PERSON_NAME and PERSON_PASSWORD come from `stage`; RUNS is how many runs the median is of.
import { existsSync } from 'node:fs'
import lighthouse, { desktopConfig } from 'lighthouse'
import puppeteer from 'puppeteer-core'

const MARKS = { performance: 90, accessibility: 95 }
const { BASE_URL: base, VIDEO: video, PERSON_NAME: identifier, PERSON_PASSWORD: password } = process.env
const runs = Number(process.env.RUNS ?? 3)
const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/Applications/Chromium.app/Contents/MacOS/Chromium'].find((path) => path && existsSync(path))
if (!base || !video || !identifier || !password || !executablePath) {
  console.error('lighthouse: start this by `make lighthouse`; it needs a server, a video, a person and Chromium')
  process.exit(1)
}

const pages = [
  { name: 'home', path: '/', person: false },
  { name: 'video', path: `/videos/${video}`, person: false },
  { name: 'upload', path: '/videos/upload', person: true },
]
const devices = [
  { name: 'desktop', config: desktopConfig, marks: MARKS },
  { name: 'phone', config: undefined, marks: { accessibility: MARKS.accessibility } },
]

/** The scores of one load, from 0 to 100, and what lowered them; null when it could not be traced. */
async function measure({ path, person }, config) {
  const root = process.getuid?.() === 0
  const browser = await puppeteer.launch({ executablePath, args: [...(root ? ['--no-sandbox'] : []), '--disable-gpu', '--no-first-run'] })
  try {
    const page = await browser.newPage()
    if (person) {
      await page.goto(`${base}/robots.txt`)
      const status = await page.evaluate(async (body) => {
        const headers = { 'content-type': 'application/json' }
        return (await fetch('/api/auth/login', { method: 'POST', headers, body })).status
      }, JSON.stringify({ identifier, password }))
      if (status !== 200) throw new Error(`logging in answered ${status}`)
    }
    // A storage reset would log out again.
    const flags = { onlyCategories: Object.keys(MARKS), disableStorageReset: true, logLevel: 'error' }
    const { lhr } = await lighthouse(base + path, flags, config, page)
    if (lhr.runtimeError) return null
    const scores = Object.fromEntries(Object.keys(MARKS).map((category) => [category, Math.round((lhr.categories[category].score ?? 0) * 100)]))
    const metrics = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index']
    const text = metrics.map((id) => `${lhr.audits[id].title} ${lhr.audits[id].displayValue}`).join(', ')
    const faults = lhr.categories.accessibility.auditRefs.filter(({ id, weight }) => weight > 0 && lhr.audits[id].score === 0).map(({ id }) => id)
    return { scores, text, faults }
  } finally {
    await browser.close()
  }
}

let missed = 0
for (const device of devices) {
  for (const page of pages) {
    const results = []
    // On a busy machine the trace fails now and then.
    for (let tries = 0; results.length < runs && tries < runs + 3; tries += 1) {
      const result = await measure(page, device.config)
      if (result) results.push(result)
    }
    if (results.length === 0) throw new Error(`${page.name} could not be measured`)
    results.sort((a, b) => a.scores.performance - b.scores.performance)
    const { scores, text, faults } = results[Math.floor(results.length / 2)]
    const below = Object.entries(device.marks).filter(([category, mark]) => scores[category] < mark)
    missed += below.length
    console.log(`${page.name} ${device.name}: performance ${scores.performance}, accessibility ${scores.accessibility} (${text})`)
    for (const [category, mark] of below) console.error(`lighthouse: ${page.name} ${device.name}: ${category} ${scores[category]} is below ${mark} ${category === 'accessibility' ? faults.join(', ') : ''}`)
  }
}
process.exit(missed === 0 ? 0 : 1)
