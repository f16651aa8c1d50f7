// Languages that are offered for captions; any other BCP 47 tag can be typed.
export const LANGUAGES: readonly string[] = [
  'zh-TW', 'zh-CN', 'yue', 'nan', 'hak', 'en', 'ja', 'ko', 'vi', 'th', 'id', 'ms', 'fil', 'hi', 'ar', 'he', 'tr', 'ru', 'uk', 'pl', 'cs', 'de', 'nl', 'sv', 'da', 'nb', 'fi', 'fr', 'es', 'pt', 'it', 'el',
]
