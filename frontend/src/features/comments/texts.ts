// The texts of comments and reports.
export const commentTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
