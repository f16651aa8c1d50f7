// What a page in Chinese says that is not Chinese: texts that nobody translated, and keys that have no text.
import type { Page } from '@playwright/test'
import { groups } from './words'

/** Names of products, formats and units, which are the same in every language. */
const NAMES = /Millrace|WebVTT|SubRip|WebP|JavaScript|Headless|Chrome|Chromium|Linux|Mbit\/s|Taipei/g
/** Addresses, names of files and of time zones, identifiers; short for something, as PNG, MB, UTC and QR are. */
const TOKENS = /\S+@\S+|https?:\S+|<iframe[^]*<\/iframe>|\.\w{2,4}\b|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b[A-Z]\w+\/\w+|\b[A-Z0-9]{2,5}\b/g

/** Texts in sight and names of controls that hold a word of Latin letters, but for `names` of people and things. */
export async function foreign(page: Page, names: readonly string[]): Promise<string[]> {
  const said = await texts(page)
  const rest = (text: string) => names.reduce((left, name) => left.replaceAll(name, ''), text.replace(TOKENS, '').replace(NAMES, ''))
  return said.filter((text) => /[A-Za-z]{3,}/.test(rest(text)))
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
