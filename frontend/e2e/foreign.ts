// What a page in Chinese says that is not Chinese: texts that nobody translated, and keys that have no text.
import type { Page } from '@playwright/test'
import { groups } from './words'

/** Names of products, formats and units, which are the same in every language. */
const NAMES = /Millrace|WebVTT|SubRip|WebP|JavaScript|Headless|Chrome|Chromium|Linux|Mbit\/s|Taipei/g
/** Addresses, names of files and of time zones, identifiers; short for something, as PNG, MB, UTC and QR are. */
const TOKENS = /\S+@\S+|https?:\S+|<iframe[^]*<\/iframe>|\.\w{2,4}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[A-Z]\w+\/\w+|\b[A-Z0-9]{2,5}\b/g

/** What people, and their browsers, wrote: nobody translates it. */
const WRITTEN = /^(title|username|owner|actor|reporter|staff|person|name|body|bio|description|note|text|excerpt|label|filename|user_agent|tags)$/

/** Listens from now on to what the server hands to a page of what people wrote. */
export function listen(page: Page): Set<string> {
  const written = new Set<string>()
  const take = (value: unknown, key: string): void => {
    if (typeof value === 'string' && WRITTEN.test(key)) written.add(value)
    else if (Array.isArray(value)) value.forEach((entry) => take(entry, key))
    else if (value !== null && typeof value === 'object') for (const [name, entry] of Object.entries(value)) take(entry, name)
  }
  page.on('response', (answer) => {
    // Refusals are the server's own words, and pages have texts for those.
    if (!answer.ok() || !/\/api\/.*$/.test(answer.url()) || !/^application\/json/.test(answer.headers()['content-type'] ?? '')) return
    void answer.json().then((body: unknown) => take(body, ''), () => undefined)
  })
  return written
}

/** Texts in sight and names of controls that hold a word of Latin letters, but for what was written by people. */
export async function foreign(page: Page, written: Iterable<string>): Promise<string[]> {
  const names = [...written].filter((text) => text.length > 2).sort((a, b) => b.length - a.length)
  const rest = (text: string) => names.reduce((left, name) => left.replaceAll(name, ''), text).replace(TOKENS, '').replace(NAMES, '')
  return (await texts(page)).filter((text) => /[A-Za-z]{3,}/.test(rest(text)))
}

/** Texts in sight and names of controls that are keys. */
export async function untranslated(page: Page): Promise<string[]> {
  const key = new RegExp(`\\b(${groups.join('|')})(\\.[A-Za-z_]\\w*)+\\b`)
  return (await texts(page)).filter((text) => key.test(text))
}

async function texts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    // What is code, or says itself that it is in another language, is as it is.
    const apart = 'script, style, code, pre, [lang]:not([lang="zh-TW"]), [translate="no"]'
    const counts = (element: Element | null) => element !== null && !element.closest(apart) && element.checkVisibility({ visibilityProperty: true })
    const found = new Set<string>([document.title])
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) if (counts(node.parentElement)) found.add(node.textContent ?? '')
    for (const attribute of ['aria-label', 'placeholder', 'title', 'alt']) {
      for (const element of document.body.querySelectorAll(`[${attribute}]`)) if (counts(element)) found.add(element.getAttribute(attribute) ?? '')
    }
    return [...found].map((text) => text.trim()).filter(Boolean)
  })
}
