// What somebody is about to pay, as the address says it and the server knows it.
import { getVideo } from '@/features/videos/api'
import { getChannel } from '@/features/channels/api'
import { Problem } from '@/api/problem'
import { getPrice } from './api'
import { ITEM_TYPES, type ItemType, type Price } from './types'

export interface Purchase {
  type: ItemType
  id: string
  title: string
  /** The creator, where known. */
  name: string | null
  /** Of everything but tips. */
  price: Price | null
}

interface Wanted {
  type: ItemType
  id: string
  name: string | null
}

/** What the address asks for; null when it asks for nothing. */
export function wantedOf(query: Record<string, unknown>): Wanted | null {
  const type = ITEM_TYPES.find((entry) => entry === query.item_type)
  if (type === undefined || typeof query.item_id !== 'string' || query.item_id === '') return null
  return { type, id: query.item_id, name: typeof query.name === 'string' ? query.name : null }
}

const missing = () => new Problem(404, 'not_found', 'no such item')

/** A name in an address proves nothing: it must be that of the item's creator. */
async function creator({ id, name }: Wanted): Promise<string> {
  if (name === null) throw missing()
  const channel = await getChannel(name)
  if (channel.id !== id) throw missing()
  return channel.username
}

export async function findPurchase(wanted: Wanted): Promise<Purchase> {
  const { type, id } = wanted
  if (type === 'tip') {
    const name = await creator(wanted)
    return { type, id, title: name, name, price: null }
  }
  const price = await getPrice(type, id).catch((cause: unknown) => {
    const problem = Problem.from(cause)
    throw problem.status === 404 ? new Problem(404, 'not_for_sale', 'it has no price') : problem
  })
  if (type === 'video') {
    const video = await getVideo(id)
    return { type, id, title: video.title, name: video.owner.username, price }
  }
  const name = type === 'channel' ? await creator(wanted) : wanted.name
  return { type, id, title: name ?? '', name, price }
}

/** Three amounts to choose from, within the bounds: some, more, much. */
export function presets(min: number, max: number, exponent: number): number[] {
  const one = 10 ** exponent
  const round = [1, 2, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000, 2000, 5000, 10_000].map((units) => units * one)
  const within = round.filter((amount) => amount >= min && amount <= max)
  const first = within.findIndex((amount) => amount >= min)
  return first < 0 ? [min] : within.slice(first, first + 4)
}
