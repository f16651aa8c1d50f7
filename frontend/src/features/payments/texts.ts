// The texts of payments come with what shows them.
export const paymentTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
