import { expect, it } from 'vitest'
import { addTexts, i18n, setLanguage } from '.'

const t = i18n.global.t as (key: string) => string
const texts = { en: () => import('@/features/admin/texts.en'), 'zh-TW': () => import('@/features/admin/texts.zh-TW') }

it('brings the texts of rare pages with the first of them, and with each language chosen after', async () => {
  await setLanguage('en')
  expect(t('admin.jobs.title')).toBe('admin.jobs.title')
  await addTexts(texts)
  expect(t('admin.jobs.title')).toBe('Jobs')
  expect(t('app.save')).toBe('Save')
  await setLanguage('zh-TW')
  expect(t('admin.jobs.title')).toBe('工作')
  await addTexts(texts)
  expect(t('app.save')).toBe('儲存')
})
