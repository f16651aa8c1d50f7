// Writes a .br and a .gz beside every compressible file of dist/, so that the API serves them without work,
// and fails when the first load of `/` outgrows its budget.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const dist = new URL('../dist/', import.meta.url).pathname
const compressible = new Set(['.js', '.css', '.html', '.svg', '.json', '.txt', '.webmanifest'])
const budget = 200 * 1024

function walk(dir) {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name)
    return statSync(path).isDirectory() ? walk(path) : [path]
  })
}

const gzipped = new Map()
for (const path of walk(dist).filter((path) => compressible.has(extname(path)))) {
  const bytes = readFileSync(path)
  const gz = gzipSync(bytes, { level: 9 })
  gzipped.set(path.slice(dist.length), gz.length)
  if (bytes.length < 512) continue // Headers would cost more than is saved.
  writeFileSync(`${path}.gz`, gz)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length }
  writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }))
}

// The first load of `/`: what index.html names, plus what the home route and one language import, transitively.
const seen = new Set()
function visit(file) {
  if (seen.has(file)) return
  seen.add(file)
  if (!file.endsWith('.js')) return
  const source = readFileSync(join(dist, file), 'utf8')
  for (const [, name] of source.matchAll(/(?:from|import)\s*["']\.\/([^"']+\.js)["']/g)) visit(`assets/${name}`)
}
for (const [, file] of readFileSync(join(dist, 'index.html'), 'utf8').matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)) visit(file)
for (const file of gzipped.keys()) if (/assets\/(HomePage|zh-TW)-[^/]+\.(js|css)$/.test(file)) visit(file)
for (const file of [...seen]) {
  // A lazily loaded chunk brings the stylesheets that Vite maps to it; those of the home page share its name.
  const twin = [...gzipped.keys()].filter((css) => css.endsWith('.css') && css.split('-')[0] === file.split('-')[0])
  twin.forEach((css) => seen.add(css))
}
const total = [...seen].reduce((sum, file) => sum + (gzipped.get(file) ?? 0), 0)
console.log(`first load of /: ${(total / 1024).toFixed(1)} KiB gzip in ${seen.size} files (budget ${budget / 1024} KiB)`)
if (total > budget) {
  console.error([...seen].map((file) => `${gzipped.get(file)}\t${file}`).join('\n'))
  process.exit(1)
}
