import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { FoundPath, followLinks, inRoot, locateFolder, parseWanted } from './path-in-root.ts'

for (const [text, path, asserted, base] of [
  ['etc', '/etc', '', 'etc'],
  ['/etc/', '/etc', '/', 'etc'],
  ['/etc/.', '/etc', '/.', '.'],
  ['/', '/', '', '/'],
  ['.', '/', '/.', '.'],
  ['/a/../../b', '/b', '', 'b'],
] as const)
  test(`parseWanted() reads ${text} as Docker does`, () =>
    assert.deepEqual(parseWanted(text), { path, asserted, base }))

/** A root with links that would lead out of it. */
function makeRoot(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-path-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const root = join(folder, 'root')
  mkdirSync(join(root, 'in/deep'), { recursive: true })
  writeFileSync(join(folder, 'secret'), 'no')
  writeFileSync(join(root, 'in/file'), 'yes')
  symlinkSync('../../../secret', join(root, 'out'))
  symlinkSync('/in', join(root, 'door'))
  symlinkSync('loop', join(root, 'loop'))
  return root
}

const names = (path: string) => ({ container: 'box', path })

test('FoundPath follows links on the way inside the root, and the last one only where a folder is asserted', (t) => {
  const root = makeRoot(t)
  inRoot(root, names('x'), (fd) => {
    using file = new FoundPath(fd, parseWanted('/door/file'))
    assert.equal(file.stat.size, 3n)
    using link = new FoundPath(fd, parseWanted('/door'))
    assert.ok(link.stat.isSymbolicLink())
    using folder = new FoundPath(fd, parseWanted('/door/'))
    assert.ok(folder.stat.isDirectory())
  })
})

test('inRoot() says in Docker’s words what is not there', (t) => {
  const root = makeRoot(t)
  const look = (path: string) => () => inRoot(root, names(path), (fd) => new FoundPath(fd, parseWanted(path)))
  assert.throws(look('/nope'), { kind: 'not-found', message: 'Could not find the file /nope in container box' })
  assert.throws(look('/out/'), { kind: 'not-found' })
  assert.throws(look('/in/file/'), { message: 'lstat /in/file/: not a directory' })
  assert.throws(look('/loop/x'), { message: 'lstat /loop/x: too many levels of symbolic links' })
})

test('followLinks() never leaves the root', (t) => {
  const root = makeRoot(t)
  inRoot(root, names('x'), (fd) => {
    assert.equal(followLinks(fd, '/out'), '/secret')
    assert.equal(followLinks(fd, '/door/deep'), '/in/deep')
    assert.throws(() => followLinks(fd, '/loop'), /too many links/)
    assert.equal(locateFolder(fd, parseWanted('/door/deep')), 'in/deep')
    assert.equal(locateFolder(fd, parseWanted('/in/file')), undefined)
  })
})
