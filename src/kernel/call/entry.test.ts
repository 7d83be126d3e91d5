import assert from 'node:assert/strict'
import {
  chmodSync,
  closeSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { hasXattrs, linkEntry, openEntry, readBytes, statDescriptor, statEntry } from './entry.ts'
import { isErrno } from './system-call-error.ts'
import { makeDevice, makeNode, setXattr } from './xattr.ts'

const NUMBERS = ['mode', 'ino', 'size', 'mtimeNs', 'ctimeNs', 'nlink', 'uid', 'gid', 'rdev', 'dev', 'blocks'] as const
const KINDS = [
  'isFile',
  'isDirectory',
  'isSymbolicLink',
  'isSocket',
  'isFIFO',
  'isBlockDevice',
  'isCharacterDevice',
] as const

async function inFolder(use: (path: string, fd: number) => void | Promise<void>): Promise<void> {
  const path = mkdtempSync('/tmp/mica-entry-')
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await use(path, fd)
  } finally {
    closeSync(fd)
    rmSync(path, { recursive: true })
  }
}

test('statEntry() says what node says, of every kind of entry', () =>
  inFolder(async (path, fd) => {
    writeFileSync(join(path, 'file'), 'x'.repeat(5000))
    chmodSync(join(path, 'file'), 0o4751)
    // before 1970, and after 2038
    writeFileSync(join(path, 'old'), '')
    utimesSync(join(path, 'old'), -1.5, -1.5)
    writeFileSync(join(path, 'late'), '')
    utimesSync(join(path, 'late'), 6e9, 6e9)
    mkdirSync(join(path, 'folder'))
    symlinkSync('nowhere', join(path, 'link'))
    linkSync(join(path, 'file'), join(path, 'second'))
    makeNode(join(path, 'fifo'), constants.S_IFIFO | 0o600, 0)
    makeNode(join(path, 'character'), constants.S_IFCHR | 0o600, makeDevice(1, 300))
    makeNode(join(path, 'block'), constants.S_IFBLK | 0o600, makeDevice(7, 70_000))
    writeFileSync(Buffer.from(`${path}/\xff\xfe`, 'latin1'), '')
    const server = createServer().listen(join(path, 'socket'))
    await new Promise((resolve) => server.once('listening', resolve))
    const names = [
      'file',
      'old',
      'late',
      'folder',
      'link',
      'second',
      'fifo',
      'character',
      'block',
      '\xff\xfe',
      'socket',
    ]
    for (const name of names) {
      const wanted = lstatSync(Buffer.from(`${path}/${name}`, 'latin1'), { bigint: true })
      const found = statEntry(fd, name)
      assert.ok(found, name)
      for (const each of NUMBERS) assert.equal(found[each], wanted[each], `${name} ${each}`)
      for (const each of KINDS) assert.equal(found[each](), wanted[each](), `${name} ${each}`)
    }
    assert.equal(statEntry(fd, 'missing'), undefined)
    assert.equal(statDescriptor(fd).ino, lstatSync(path, { bigint: true }).ino)
    server.close()
  }))

test('a stamp tells one state of a file from another, and many are kept apart', () =>
  inFolder((path, fd) => {
    const names = Array.from({ length: 600 }, (_, index) => `f${index}`)
    for (const name of names) writeFileSync(join(path, name), name)
    const stats = names.map((name) => statEntry(fd, name))
    assert.equal(new Set(stats.map((stat) => stat?.stamp)).size, names.length)
    assert.deepEqual(
      stats.map((stat) => stat?.size),
      names.map((name) => BigInt(name.length)),
    )
    const before = stats[0]?.stamp
    assert.equal(statEntry(fd, 'f0')?.stamp, before)
    chmodSync(join(path, 'f0'), 0o600)
    assert.notEqual(statEntry(fd, 'f0')?.stamp, before)
  }))

test('entries are opened, read and linked by their folder; a link is never followed', () =>
  inFolder((path, fd) => {
    writeFileSync(join(path, 'file'), 'some text')
    symlinkSync('file', join(path, 'link'))
    assert.throws(
      () => openEntry(fd, 'link', constants.O_RDONLY),
      (error) => isErrno(error, 'ELOOP'),
    )
    const file = openEntry(fd, 'file', constants.O_RDONLY)
    const buffer = Buffer.alloc(20)
    assert.equal(readBytes(file, buffer, 4, 5), 4)
    assert.equal(buffer.toString('utf8', 0, 4), 'text')
    assert.equal(readBytes(file, buffer, 20, 9), 0)
    assert.throws(() => readBytes(file, buffer, 21, 0), { kind: 'internal' })
    closeSync(file)
    linkEntry(fd, 'file', fd, 'second')
    linkEntry(fd, 'link', fd, 'second link')
    assert.equal(readFileSync(join(path, 'second'), 'utf8'), 'some text')
    assert.ok(lstatSync(join(path, 'second link')).isSymbolicLink())
    assert.throws(
      () => linkEntry(fd, 'file', fd, 'second'),
      (error) => isErrno(error, 'EEXIST'),
    )
  }))

test('hasXattrs() tells files that have some', () =>
  inFolder((path, fd) => {
    writeFileSync(join(path, 'file'), '')
    const file = openEntry(fd, 'file', constants.O_RDONLY)
    const before = hasXattrs(file)
    setXattr(join(path, 'file'), 'trusted.test', Buffer.from('1'))
    assert.deepEqual([before, hasXattrs(file)], [false, true])
    closeSync(file)
  }))
