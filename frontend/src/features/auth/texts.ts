// The texts of the pages about one's own account, which come with the first of them.
export const accountTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
