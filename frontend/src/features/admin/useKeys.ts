// Single keys for a page, which are the person's own letters wherever they type.
import { onScopeDispose } from 'vue'
import { takesKeys } from '@/features/videos/player/playerKeys'

/** Calls the command of a key until the page is left. */
export function useKeys(commands: Record<string, () => void>): void {
  function press(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    const command = Object.hasOwn(commands, event.key) ? commands[event.key] : undefined
    if (!command || taken(event) || asked()) return
    event.preventDefault()
    command()
  }
  document.addEventListener('keydown', press)
  onScopeDispose(() => document.removeEventListener('keydown', press))
}

function taken(event: KeyboardEvent): boolean {
  const ticked = event.target instanceof HTMLInputElement && event.target.type === 'checkbox'
  return ticked ? event.key === ' ' : takesKeys(event.target, event.key)
}

/** Whether a dialog waits for an answer. Closed ones stay in the document, without a place on the screen. */
function asked(): boolean {
  return [...document.querySelectorAll('[aria-modal="true"]')].some((dialog) => dialog.getClientRects().length > 0)
}
