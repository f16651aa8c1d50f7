// What a row says about itself, in a sentence.
import { useI18n } from 'vue-i18n'
import { useProblemText } from '@/features/shell/useProblemText'
import { useFormat } from '@/i18n/format'
import { percentOf, secondsLeft, type UploadItem } from './item'

export function useUploadText() {
  const { t } = useI18n()
  const format = useFormat()
  const problemText = useProblemText()
  const amount = (item: UploadItem) => t('upload.amount', { sent: format.bytes(item.sent), total: format.bytes(item.size) })

  function moving(item: UploadItem): string {
    const left = secondsLeft(item)
    const parts = [amount(item)]
    if (item.rate) parts.push(t('upload.rate', { rate: format.bytes(item.rate) }))
    if (left !== null) parts.push(t('upload.left', { time: format.remaining(left) }))
    return parts.join(' · ')
  }

  return (item: UploadItem): string => {
    if (item.problem) return problemText(item.problem)
    if (item.stalled) return `${t('upload.stalled')} · ${amount(item)}`
    switch (item.phase) {
      case 'queued':
        return `${t('upload.queued')} · ${format.bytes(item.size)}`
      case 'sending':
        return moving(item)
      case 'paused':
        return `${t('upload.paused')} · ${amount(item)}`
      case 'lost':
        if (item.sent === 0 && !item.reachable) return t('upload.lostNothing')
        return t(item.reachable ? 'upload.lostReachable' : 'upload.lost', { percent: format.percent(percentOf(item)) })
      case 'finishing':
      case 'elsewhere':
        return t(`upload.${item.phase}`)
      default:
        return item.published || item.phase !== 'done' ? '' : t('upload.draft')
    }
  }
}
