// The texts of search, trending and recommendations.
export const discoveryTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
