// Applies bursts of frames once per painted frame: a hundred progress frames cost one render.

/** Returns a function that queues a step; queued steps run together, in order, before the next paint. */
export function conflate(): (step: () => void) => void {
  let queue: (() => void)[] = []
  let frame = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    cancelAnimationFrame(frame)
    clearTimeout(timer)
    timer = undefined
    const steps = queue
    queue = []
    for (const step of steps) step()
  }

  return (step) => {
    queue.push(step)
    if (timer !== undefined) return
    frame = requestAnimationFrame(flush)
    timer = setTimeout(flush, 250) // A hidden tab paints nothing, yet its title and state must stay true.
  }
}
