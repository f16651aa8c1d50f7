import { describe, expect, it, vi } from 'vitest'
import { dropped, type FileHandle, pick, reopen } from './handles'

const film = new File(['x'], 'film.mp4')
const handle = (state: PermissionState, asked: PermissionState = state): FileHandle => ({
  kind: 'file',
  getFile: () => Promise.resolve(film),
  queryPermission: () => Promise.resolve(state),
  requestPermission: vi.fn(() => Promise.resolve(asked)),
})

describe('reopen', () => {
  it('asks only when a person clicked', async () => {
    const shy = handle('prompt', 'granted')
    expect(await reopen(shy, false)).toBeNull()
    expect(shy.requestPermission).not.toHaveBeenCalled()
    expect(await reopen(shy, true)).toBe(film)
  })

  it('takes no for an answer, and a file that is gone', async () => {
    expect(await reopen(handle('prompt', 'denied'), true)).toBeNull()
    expect(await reopen({ kind: 'file', getFile: () => Promise.reject(new DOMException('gone', 'NotFoundError')) }, true)).toBeNull()
  })
})

describe('pick', () => {
  it('gives files with the way back to them', async () => {
    const way = handle('granted')
    const picker = vi.fn(() => Promise.resolve([way]))
    expect(await pick(picker, ['mp4', 'mkv'], true)).toEqual([{ file: film, handle: way }])
    expect(picker).toHaveBeenCalledWith({ multiple: true, types: [{ accept: { 'video/*': ['.mp4', '.mkv'] } }] })
  })

  it('is no fault when the person changes their mind', async () => {
    expect(await pick(() => Promise.reject(new DOMException('closed', 'AbortError')), ['mp4'], true)).toEqual([])
    await expect(pick(() => Promise.reject(new DOMException('blocked', 'SecurityError')), ['mp4'], true)).rejects.toThrow('blocked')
  })
})

it('takes files out of a drop and leaves folders', async () => {
  const item = (kind: FileHandle['kind'] | null) => ({
    kind: 'file',
    getAsFile: () => film,
    ...(kind ? { getAsFileSystemHandle: () => Promise.resolve({ ...handle('granted'), kind }) } : {}),
  })
  const transfer = { items: [item('file'), item('directory'), item(null), { kind: 'string' }] } as unknown as DataTransfer
  const found = await dropped(transfer)
  expect(found.map(({ handle: way }) => way?.kind ?? null)).toEqual(['file', null])
})
