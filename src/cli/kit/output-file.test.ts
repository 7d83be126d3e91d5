import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { outputFile } from './output-file.ts'

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-output-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

async function* bytes(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

test('outputFile() makes a file of its own user alone, also in the place of another', async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'out'), 'before, and longer', { mode: 0o644 })
  await outputFile(folder, 'out', 'save image')(bytes('a', 'b'))
  assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'ab')
  assert.equal(statSync(join(folder, 'out')).mode & 0o777, 0o600)
})

test('outputFile() leaves what was there where not all bytes come', async (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'out'), 'before')
  const broken = async function* (): AsyncGenerator<Uint8Array> {
    yield* bytes('a')
    throw new Error('cut off')
  }
  await assert.rejects(outputFile(folder, 'out', 'save image')(broken()), /cut off/)
  assert.equal(readFileSync(join(folder, 'out'), 'utf8'), 'before')
  assert.deepEqual(readdirSync(folder), ['out'])
})

test('outputFile() refuses what it cannot replace', (t) => {
  const folder = folderOf(t)
  symlinkSync('nosuch', join(folder, 'link'))
  for (const [name, why] of [
    ['.', 'cannot write to a directory'],
    ['link', 'cannot write to a symbolic link directly'],
    ['/dev/null', 'cannot write to a character device file'],
    ['no/file', 'invalid output path: stat no: no such file or directory'],
  ] as const)
    assert.throws(() => outputFile(folder, name, 'save image'), { message: `failed to save image: ${why}` }, name)
})
