import { expect, it } from 'vitest'
import { effectScope, nextTick, ref } from 'vue'
import { usePages } from './usePages'

const settled = () => new Promise((resolve) => setTimeout(resolve))

it('shows nothing twice while pages come, and begins anew when something else is asked for', async () => {
  const asked = ref('a')
  const pages: Record<string, { items: string[]; next_cursor: string | null }> = {
    a: { items: ['1', '2'], next_cursor: 'p2' },
    p2: { items: ['2', '3'], next_cursor: null },
    b: { items: ['9'], next_cursor: null },
  }
  const scope = effectScope()
  const list = scope.run(() => usePages((cursor) => Promise.resolve(pages[cursor ?? asked.value]!), (item) => item, () => asked.value))!
  expect(list.loading.value).toBe(true)
  await settled()
  expect(list.items.value).toEqual(['1', '2'])
  await list.loadMore()
  expect(list.items.value).toEqual(['1', '2', '3'])
  expect(list.hasMore.value).toBe(false)
  asked.value = 'b'
  await nextTick()
  await settled()
  expect(list.items.value).toEqual(['9'])
  list.replace('9', null)
  expect(list.items.value).toEqual([])
  scope.stop()
})

it('keeps what is on show when a further page cannot be had', async () => {
  let calls = 0
  const scope = effectScope()
  const list = scope.run(() =>
    usePages((cursor) => (calls++ === 0 ? Promise.resolve({ items: ['1'], next_cursor: 'x' }) : Promise.reject(new Error(cursor))), (item) => item),
  )!
  await settled()
  await list.loadMore()
  expect(list.items.value).toEqual(['1'])
  expect(list.error.value).not.toBeNull()
  expect(list.hasMore.value).toBe(true)
  scope.stop()
})
