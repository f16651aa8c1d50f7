// What a device calls itself, in words.
import Bowser from 'bowser'

export interface DeviceWords {
  browser: string
  system: string
  /** Whether it is carried around. */
  mobile: boolean
}

/** Null for what no browser sends: a program, or nothing. */
export function deviceWords(userAgent: string): DeviceWords | null {
  if (!userAgent) return null
  const { browser, os, platform } = Bowser.parse(userAgent)
  if (!browser.name || !os.name) return null
  return { browser: browser.name, system: os.name, mobile: platform.type === 'mobile' || platform.type === 'tablet' }
}
