import { type Bytes, bytesOf, collect } from '#base'
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { filtersOf, findPrograms, NO_PROGRAMS, type Programs } from './program.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-program-'))
after(() => rmSync(folder, { recursive: true }))

/** A shell as the program that decompresses bzip2: these tests need no compressor. */
function shell(script: string): Programs {
  return { compress: {}, decompress: { bzip2: { file: '/bin/sh', args: ['-c', script] } } }
}

function filtered(script: string, bytes: Bytes): Bytes {
  const filter = filtersOf(shell(script)).decompress?.bzip2
  assert(filter)
  return filter(bytes)
}

test('findPrograms() finds what can be executed in absolute folders, the first folder first', async () => {
  assert.deepEqual(await findPrograms(''), NO_PROGRAMS)
  for (const name of ['igzip', 'xz']) writeFileSync(join(folder, name), '')
  chmodSync(join(folder, 'igzip'), 0o755)
  const found = await findPrograms(`relative:${folder}:/nowhere`)
  assert.deepEqual(found.compress, { gzip: { file: join(folder, 'igzip'), args: ['-1', '-n', '-c'] } })
  assert.deepEqual(found.decompress, { gzip: { file: join(folder, 'igzip'), args: ['-d', '-c'] } })
})

test('a filter passes bytes through its program, more than a pipe holds', async () => {
  const bytes = Buffer.alloc(3_000_000, 'abc')
  async function* parts(): Bytes {
    for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000)
  }
  assert((await collect(filtered('cat', parts()))).equals(bytes))
})

test('a filter whose program fails ends in corrupt', async () => {
  await assert.rejects(collect(filtered('cat >/dev/null; exit 3', bytesOf('x'))), { kind: 'corrupt' })
})

test('a filter whose source fails hands that on and ends its program', async () => {
  async function* failing(): Bytes {
    yield Buffer.from('x')
    throw new Error('the source failed')
  }
  await assert.rejects(collect(filtered('cat', failing())), /the source failed/)
})

test('a filter whose reader leaves early ends its program', async () => {
  async function* endless(): Bytes {
    for (;;) yield Buffer.alloc(65_536)
  }
  for await (const chunk of filtered('cat', endless())) {
    assert(chunk.length > 0)
    break
  }
})

test('a program that reads only the beginning is no failure by itself', async () => {
  const bytes = Buffer.alloc(1_000_000, 'x')
  assert.equal((await collect(filtered('head -c 10', bytesOf(bytes)))).length, 10)
})
