// Reads a master playlist and all that it names by npm's m3u8-parser, over HTTP, and prints what it understood.
// Usage: node by_npm.mjs URL. The package comes from frontend/node_modules.
import { createRequire } from 'node:module'

const require = createRequire(new URL('../../frontend/package.json', import.meta.url))
const { Parser } = require('m3u8-parser')

const wrong = []

async function read(url) {
  const answer = await fetch(url)
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}`)
  const parser = new Parser({ url })
  for (const event of ['warn', 'error']) parser.on(event, ({ message }) => wrong.push(`${url}: ${message}`))
  parser.push(await answer.text())
  parser.end()
  return parser.manifest
}

async function media(url) {
  const list = await read(url)
  return {
    kind: list.playlistType ?? null,
    version: list.version ?? null,
    target: list.targetDuration,
    ended: Boolean(list.endList),
    independent: Boolean(list.independentSegments),
    iframes_only: Boolean(list.iFramesOnly),
    discontinuities: list.discontinuityStarts.length,
    segments: list.segments.map(({ uri, duration, byterange, map }) => ({
      uri: new URL(uri, url).href,
      duration,
      range: byterange ? `${byterange.length}@${byterange.offset}` : null,
      map: map ? new URL(map.uri, url).href : null,
    })),
  }
}

const [, , address] = process.argv
const master = await read(address)
const variant = ({ uri, attributes }) => ({
  uri: new URL(uri, address).href,
  bandwidth: Number(attributes.BANDWIDTH),
  average: attributes['AVERAGE-BANDWIDTH'] === undefined ? null : Number(attributes['AVERAGE-BANDWIDTH']),
  resolution: attributes.RESOLUTION ? `${attributes.RESOLUTION.width}x${attributes.RESOLUTION.height}` : null,
  codecs: attributes.CODECS,
  frame_rate: attributes['FRAME-RATE'] === undefined ? null : Number(attributes['FRAME-RATE']),
  audio: attributes.AUDIO ?? null,
})
const sounds = Object.entries(master.mediaGroups?.AUDIO ?? {}).flatMap(([group, named]) =>
  Object.entries(named).map(([name, { uri, default: chosen }]) => ({ group, name, chosen, uri: new URL(uri, address).href })),
)
const variants = (master.playlists ?? []).map(variant)
const iframes = (master.iFramePlaylists ?? []).map(variant)
const lists = {}
for (const { uri } of [...variants, ...iframes, ...sounds]) lists[uri] = await media(uri)
console.log(JSON.stringify({ variants, iframes, sounds, lists, wrong }))
