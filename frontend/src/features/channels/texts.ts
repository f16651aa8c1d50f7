// The texts of channels and of what stands around a video.
export const channelTexts = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }
