import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { ConfinedRoot } from '#tree'
import { FileDigests } from './file-digests.ts'
import { FolderTree } from './source-tree.ts'

const SIZE = 4 << 20

/** A folder with one large file, its tree, and what reading it gives while `change` happens after the first piece. */
function readWhile(
  t: TestContext,
  change: (path: string) => void,
): { readonly digest: string; readonly taken: number } {
  const folder = mkdtempSync(join(tmpdir(), 'mica-source-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'file')
  writeFileSync(path, Buffer.alloc(SIZE, 'a'))
  using root = new ConfinedRoot(folder)
  const tree = new FolderTree(root, new FileDigests(undefined), () => 0n)
  const hash = createHash('sha256')
  let taken = 0
  const { digest } = tree.read('', 'file', (chunk) => {
    if (taken === 0) change(path)
    taken += chunk.length
    hash.update(chunk)
  })
  assert.equal(digest, hash.digest('hex'), 'the digest is that of the bytes that were handed on')
  return { digest, taken }
}

test('a file that grows while it is copied is taken as it was', (t) => {
  const still = readWhile(t, () => undefined)
  const grown = readWhile(t, (path) => appendFileSync(path, 'more'))
  assert.deepEqual(grown, still)
  assert.equal(grown.taken, SIZE)
})

test('a file that becomes shorter while it is copied ends the copy: half a file is no file', (t) => {
  assert.throws(() => readWhile(t, (path) => truncateSync(path, 10)), {
    kind: 'conflict',
    message: 'cannot copy "file": it became shorter while it was read',
  })
})
