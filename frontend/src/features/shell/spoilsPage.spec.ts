import { type Component, createApp, h, nextTick, onErrorCaptured } from 'vue'
import { expect, test } from 'vitest'
import { spoilsPage } from './spoilsPage'

/** Where Vue says that an error of this component came from. */
async function whereOf(child: Component, act: (root: HTMLElement) => void = () => undefined): Promise<string> {
  let said = ''
  const parent: Component = {
    setup() {
      onErrorCaptured((_, __, where) => {
        said = where
        return false
      })
      return () => h(child)
    },
  }
  const root = document.createElement('div')
  const app = createApp(parent)
  app.config.warnHandler = () => undefined
  app.mount(root)
  act(root)
  await nextTick()
  app.unmount()
  return said
}

function fail(): never {
  throw new Error('on purpose')
}

test('a page that cannot be shown is told from a button that does not work', async () => {
  expect(spoilsPage(await whereOf({ setup: fail }))).toBe(true)
  expect(spoilsPage(await whereOf({ render: fail }))).toBe(true)
  const button: Component = { render: () => h('button', { onClick: fail }) }
  const where = await whereOf(button, (root) => root.querySelector('button')?.click())
  expect(where).not.toBe('')
  expect(spoilsPage(where)).toBe(false)
})

test('the numbers of a production build mean the same', () => {
  const address = 'https://vuejs.org/error-reference/#runtime-'
  expect(['0', '1', '13'].every((number) => spoilsPage(address + number))).toBe(true)
  expect(['2', '3', '5', '6', '10', '11', '12', '14'].some((number) => spoilsPage(address + number))).toBe(false)
})
