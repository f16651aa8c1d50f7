import { describe, expect, it } from 'vitest'
import { deviceWords } from './device'

describe('a device in words', () => {
  it('names browser and system', () => {
    const linux = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'
    expect(deviceWords(linux)).toEqual({ browser: 'Chrome', system: 'Linux', mobile: false })
    const phone = 'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1'
    expect(deviceWords(phone)).toEqual({ browser: 'Safari', system: 'iOS', mobile: true })
    const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:143.0) Gecko/20100101 Firefox/143.0'
    expect(deviceWords(firefox)).toMatchObject({ browser: 'Firefox', system: 'Windows' })
  })

  it('does not guess', () => {
    expect(deviceWords('')).toBeNull()
    expect(deviceWords('curl/8.5.0')).toBeNull()
  })
})
