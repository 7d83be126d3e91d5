import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  closeDescriptor,
  copyRange,
  descriptorPath,
  lockFile,
  openInRoot,
  openRoot,
  readFileInRoot,
  syncFileSystem,
} from './descriptor.ts'
import { createPipe, readDescriptor, spliceFile } from './pipe.ts'
import { isErrno } from './system-call-error.ts'
import { getXattr, listXattrs, makeDevice, makeNode, removeXattr, setTimes, setXattr, splitDevice } from './xattr.ts'

function folder(t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'mica-kernel-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

test('readFileInRoot() reads regular files inside the root only, and never more than it may', (t) => {
  const base = folder(t)
  const root = join(base, 'root')
  mkdirSync(join(root, 'folder'), { recursive: true })
  writeFileSync(join(base, 'secret'), 'outside')
  writeFileSync(join(root, 'file'), 'inside')
  symlinkSync('/file', join(root, 'link'))
  symlinkSync('../secret', join(root, 'escape'))
  symlinkSync('loop', join(root, 'loop'))
  makeNode(join(root, 'fifo'), constants.S_IFIFO | 0o644, 0)
  const fd = openRoot(root)
  t.after(() => closeDescriptor(fd))
  assert.equal(readFileInRoot(fd, 'file', 6)?.toString(), 'inside')
  assert.equal(readFileInRoot(fd, '/link', 6)?.toString(), 'inside')
  for (const name of ['absent', 'folder', 'fifo', 'escape', 'loop', 'file/below'])
    assert.equal(readFileInRoot(fd, name, 6), undefined, name)
  assert.throws(() => readFileInRoot(fd, 'file', 5), { kind: 'invalid', message: /file: it is larger than 5 bytes/ })
})

test('openInRoot() never leaves the root', (t) => {
  const base = folder(t)
  const root = join(base, 'root')
  mkdirSync(join(root, 'inner'), { recursive: true })
  writeFileSync(join(base, 'secret'), 'outside')
  writeFileSync(join(root, 'secret'), 'inside')
  const links = {
    absolute: '/secret',
    up: '../../../secret',
    long: 'inner/../../../../../../../../secret',
    folder: '/',
    away: `${base}/secret`,
    magic: '/proc/self/root/secret',
  }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(root, name))
  const rootFd = openRoot(root)
  const read = (path: string): string => {
    const fd = openInRoot(rootFd, path, constants.O_RDONLY, { follow: true })
    try {
      return readFileSync(fd, 'utf8')
    } finally {
      closeDescriptor(fd)
    }
  }
  for (const path of [
    'secret',
    '/secret',
    '../secret',
    '/../../secret',
    'absolute',
    'up',
    'long',
    'folder/secret',
    'inner/../../secret',
  ]) {
    assert.equal(read(path), 'inside', path)
  }
  for (const path of ['away', 'magic', 'inner/none'])
    assert.throws(
      () => read(path),
      (error) => isErrno(error, 'ENOENT'),
      path,
    )
  assert.throws(
    () => openInRoot(rootFd, 'absolute', constants.O_RDONLY),
    (error) => isErrno(error, 'ELOOP'),
  )
  closeDescriptor(rootFd)
})

test('openInRoot() makes files inside the root, with their mode', (t) => {
  const root = folder(t)
  symlinkSync('/made', join(root, 'link'))
  const rootFd = openRoot(root)
  const fd = openInRoot(rootFd, 'link', constants.O_CREAT | constants.O_WRONLY, { mode: 0o640, follow: true })
  closeDescriptor(fd)
  assert.equal(statSync(join(root, 'made')).mode & 0o777, 0o640)
  mkdirSync(join(descriptorPath(rootFd), 'by-descriptor'))
  assert.ok(statSync(join(root, 'by-descriptor')).isDirectory())
  closeDescriptor(rootFd)
})

test('lockFile() is refused while another holder lives', (t) => {
  const path = join(folder(t), 'lock')
  const [first, second] = [openSync(path, 'w'), openSync(path, 'w')]
  assert.equal(lockFile(first), true)
  assert.equal(lockFile(second), false)
  closeSync(first)
  assert.equal(lockFile(second), true)
  closeSync(second)
})

test('copyRange() copies from the positions of both files', (t) => {
  const base = folder(t)
  writeFileSync(join(base, 'a'), 'hello')
  const [from, to] = [openSync(join(base, 'a'), 'r'), openSync(join(base, 'b'), 'w')]
  assert.equal(copyRange(from, to, 100), 5)
  assert.equal(copyRange(from, to, 100), 0)
  closeSync(from)
  closeSync(to)
  assert.equal(readFileSync(join(base, 'b'), 'utf8'), 'hello')
})

test('syncFileSystem() resolves', async (t) => {
  await syncFileSystem(folder(t))
})

test('setTimes() keeps nanoseconds, before 1970 too, and does not follow links', (t) => {
  const path = join(folder(t), 'file')
  writeFileSync(path, '')
  for (const time of [1_234_567_890_123_456_789n, 0n, -1n, -1_500_000_000n]) {
    setTimes(path, time, time)
    assert.equal(statSync(path, { bigint: true }).mtimeNs, time)
  }
  symlinkSync('file', `${path}-link`)
  setTimes(`${path}-link`, 5n, 5n)
  assert.equal(statSync(path, { bigint: true }).mtimeNs, -1_500_000_000n)
})

test('user xattrs are set, listed, read and removed, big ones and on names that are not UTF-8 too', (t) => {
  const path = Buffer.concat([Buffer.from(`${folder(t)}/`), Buffer.from([0xff, 0xfe])])
  writeFileSync(path, '')
  assert.deepEqual(listXattrs(path), [])
  assert.equal(getXattr(path, 'user.a'), undefined)
  const big = Buffer.alloc(2000, 7)
  setXattr(path, 'user.a', Buffer.from([0, 1]))
  setXattr(path, 'user.big', big)
  setXattr(path, 'user.empty', Buffer.alloc(0))
  assert.deepEqual([...listXattrs(path)].sort(), ['user.a', 'user.big', 'user.empty'])
  assert.deepEqual(getXattr(path, 'user.a'), Buffer.from([0, 1]))
  assert.deepEqual(getXattr(path, 'user.big'), big)
  assert.equal(getXattr(path, 'user.empty')?.length, 0)
  removeXattr(path, 'user.a')
  removeXattr(path, 'user.a')
  assert.equal(getXattr(path, 'user.a'), undefined)
  assert.throws(
    () => getXattr('/no/such', 'user.a'),
    (error) => isErrno(error, 'ENOENT'),
  )
})

test('makeNode() makes a fifo', (t) => {
  const path = join(folder(t), 'fifo')
  makeNode(path, constants.S_IFIFO | 0o600, 0)
  assert.ok(statSync(path).isFIFO())
})

test('makeDevice() and splitDevice() agree', () => {
  for (const [major, minor] of [
    [0, 0],
    [1, 3],
    [8, 257],
    [4095, 1048575],
    [259, 70000],
  ] as const) {
    assert.deepEqual(splitDevice(makeDevice(major, minor)), { major, minor })
  }
  const { rdev } = statSync('/dev/null')
  assert.equal(makeDevice(1, 3), rdev)
})

test('spliceFile() moves a part of a file into a pipe, also one that is too small for it', async (t) => {
  const path = join(folder(t), 'file')
  const bytes = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, at) => at % 251))
  writeFileSync(path, bytes)
  const file = openSync(path, 'r')
  const pipe = createPipe()
  const chunks: Uint8Array[] = []
  const read = (async () => {
    for await (const chunk of readDescriptor(pipe.from)) chunks.push(chunk)
  })()
  await spliceFile(file, { start: 10, end: 299_000 }, pipe.to)
  closeSync(pipe.to)
  await read
  assert.ok(Buffer.concat(chunks).equals(bytes.subarray(10, 299_000)))
  const other = createPipe()
  await assert.rejects(spliceFile(file, { start: 300_000, end: 300_001 }, other.to), { kind: 'internal' })
  closeSync(other.from)
  await assert.rejects(spliceFile(file, { start: 0, end: 10 }, other.to), (error) => isErrno(error, 'EPIPE'))
  for (const fd of [file, pipe.from, other.to]) closeSync(fd)
})

test('a process that watches nothing it stays for ends well, also where it becomes ready then', () => {
  const entry = fileURLToPath(new URL('./poll.test-exit.ts', import.meta.url))
  const child = spawnSync(process.execPath, [entry], { encoding: 'utf8' })
  assert.deepEqual([child.status, child.stderr], [0, ''])
})
