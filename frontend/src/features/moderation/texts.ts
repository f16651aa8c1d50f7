// The texts of moderation come with the first page or notice that shows them; reasons are those of reports.
import { commentTexts } from '@/features/comments/texts'

const own = { en: () => import('./texts.en'), 'zh-TW': () => import('./texts.zh-TW') }

export const moderationTexts = [own, commentTexts]
