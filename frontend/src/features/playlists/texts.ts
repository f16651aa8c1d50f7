// The texts of what viewers keep and pass on: history, playlists, sharing.
export const keepTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
