// What each key does in the player, as YouTube taught everybody.
export interface PlayerCommands {
  toggle(): void
  seekBy(seconds: number): void
  seekTo(share: number): void
  volumeBy(change: number): void
  toggleMute(): void
  toggleFullscreen(): void
  toggleCaptions(): void
  toggleTheatre(): void
  togglePip(): void
  toggleHelp(): void
  stepSpeed(direction: 1 | -1): void
}

/** Runs the command of a key. False when the key is not ours, so that the browser may have it. */
export function pressKey(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>, player: PlayerCommands): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false
  const commands: Record<string, () => void> = {
    ' ': player.toggle,
    k: player.toggle,
    j: () => player.seekBy(-10),
    l: () => player.seekBy(10),
    arrowleft: () => player.seekBy(-5),
    arrowright: () => player.seekBy(5),
    arrowup: () => player.volumeBy(0.05),
    arrowdown: () => player.volumeBy(-0.05),
    home: () => player.seekTo(0),
    end: () => player.seekTo(1),
    m: player.toggleMute,
    f: player.toggleFullscreen,
    c: player.toggleCaptions,
    t: player.toggleTheatre,
    i: player.togglePip,
    '?': player.toggleHelp,
    '<': () => player.stepSpeed(-1),
    '>': () => player.stepSpeed(1),
  }
  const key = event.key.toLowerCase()
  const command = commands[key] ?? (/^\d$/.test(key) ? () => player.seekTo(Number(key) / 10) : undefined)
  command?.()
  return command !== undefined
}

/** Whether a key pressed on this element is meant for the element itself: text, a choice, a button. */
export function takesKeys(target: EventTarget | null, key: string): boolean {
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target.closest('textarea, select, [role="dialog"], [role="menu"]')) return true
  if (target instanceof HTMLInputElement) return target.type !== 'range'
  return (key === ' ' || key === 'Enter') && target.closest('button, a, [role="button"]') !== null
}
