import assert from 'node:assert/strict'
import {
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import {
  attachMount,
  attachMounts,
  closeDescriptor,
  createNetworkNamespace,
  descriptorPath,
  getXattr,
  isErrno,
  listXattrs,
  makeNode,
  type Mount,
  mountTable,
  openHostMounts,
  openNetlink,
  removeNetworkNamespace,
  runProcess,
  setXattr,
  unmount,
  unmountSync,
  unpinMountNamespace,
  withNetworkNamespace,
} from '#kernel'
import { ownMountNamespace } from '#test/mount-namespace'
import { until } from '#test/wait'

ownMountNamespace()

/** A temporary folder with a tmpfs of its own, gone with everything mounted below it at the end. */
function scratch(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-kernel-'))
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: ['mode=0755', 'nosuid'] }, folder)
  t.after(() => {
    unmountSync(folder, { detach: true })
    rmSync(folder, { recursive: true })
    assert.ok(!readFileSync('/proc/self/mountinfo', 'utf8').includes(folder))
  })
  return folder
}

function overlayOf(base: string, layers: number, extra: readonly string[] = []): Mount {
  const lowers = Array.from({ length: layers }, (_, index) => join(base, `layer-${index}`, 'fs'))
  for (const [index, lower] of lowers.entries()) {
    mkdirSync(lower, { recursive: true })
    writeFileSync(join(lower, `from-${index}`), String(index))
    writeFileSync(join(lower, 'shared'), String(index))
  }
  mkdirSync(join(base, 'upper'), { recursive: true })
  mkdirSync(join(base, 'work'), { recursive: true })
  const options = [
    ...lowers.map((lower) => `lowerdir+=${lower}`),
    `upperdir=${join(base, 'upper')}`,
    `workdir=${join(base, 'work')}`,
    'redirect_dir=off',
    'metacopy=off',
    'index=off',
    ...extra,
  ]
  return { type: 'overlay', source: 'overlay', options }
}

test('an overlay of 128 layers mounts, the topmost winning', async (t) => {
  const base = scratch(t)
  const root = join(base, 'root')
  mkdirSync(root)
  attachMount(overlayOf(base, 128), root)
  assert.equal(readdirSync(root).length, 129)
  assert.equal(readFileSync(join(root, 'shared'), 'utf8'), '0')
  writeFileSync(join(root, 'shared'), 'mine')
  assert.equal(readFileSync(join(base, 'upper', 'shared'), 'utf8'), 'mine')
  await unmount(root)
  assert.equal(readdirSync(root).length, 0)
})

test('an overlay takes volatile and ro, and paths longer than fsconfig does', (t) => {
  const base = join(scratch(t), 'x'.repeat(200), 'y'.repeat(100))
  mkdirSync(join(base, 'root'), { recursive: true })
  attachMount(overlayOf(base, 3, ['volatile', 'ro']), join(base, 'root'))
  assert.throws(() => writeFileSync(join(base, 'root', 'new'), ''), { code: 'EROFS' })
  unmountSync(join(base, 'root'))
})

test('a failing overlay mount says what the kernel says', (t) => {
  const base = scratch(t)
  mkdirSync(join(base, 'root'))
  const mount = overlayOf(base, 1, ['lowerdir+=/no/such/layer'])
  assert.throws(
    () => attachMount(mount, join(base, 'root')),
    (error) => isErrno(error, 'ENOENT'),
  )
  const wrong = overlayOf(base, 501)
  assert.throws(() => attachMount(wrong, join(base, 'root')), /too many lower directories/)
})

test('a removed file leaves a whiteout node that the room reads and makes', (t) => {
  const base = scratch(t)
  mkdirSync(join(base, 'root'))
  attachMount(overlayOf(base, 1), join(base, 'root'))
  rmSync(join(base, 'root', 'shared'))
  const whiteout = statSync(join(base, 'upper', 'shared'))
  assert.ok(whiteout.isCharacterDevice())
  assert.equal(whiteout.rdev, 0)
  unmountSync(join(base, 'root'))
  makeNode(join(base, 'upper', 'from-0'), constants.S_IFCHR, 0)
  attachMount(overlayOf(base, 1), join(base, 'root'))
  assert.deepEqual(readdirSync(join(base, 'root')), [])
  unmountSync(join(base, 'root'))
})

test('trusted and security xattrs are read and written', (t) => {
  const path = join(scratch(t), 'file')
  writeFileSync(path, '')
  setXattr(path, 'trusted.overlay.opaque', Buffer.from('y'))
  assert.equal(getXattr(path, 'trusted.overlay.opaque')?.toString(), 'y')
  assert.deepEqual(listXattrs(path), ['trusted.overlay.opaque'])
})

test('attachMounts() attaches below a root without following links out of it', (t) => {
  const base = scratch(t)
  const [root, source] = [join(base, 'root'), join(base, 'source')]
  mkdirSync(join(source, 'sub'), { recursive: true })
  mkdirSync(join(root, 'inside'), { recursive: true })
  const bind = (target: string): Mount => ({
    type: 'bind',
    source,
    target,
    options: ['rbind', 'ro', 'nosuid', 'rprivate'],
  })
  attachMounts([bind('/../inside')], root)
  assert.deepEqual(readdirSync(join(root, 'inside')), ['sub'])
  assert.throws(() => writeFileSync(join(root, 'inside', 'new'), ''), { code: 'EROFS' })
  assert.throws(
    () => attachMounts([bind('/etc')], root),
    (error) => isErrno(error, 'ENOENT'),
  )
  unmountSync(join(root, 'inside'))
})

test('unmount() of nothing is fine only where that is said', async (t) => {
  const base = scratch(t)
  mkdirSync(join(base, 'plain'))
  await unmount(join(base, 'plain'), { ifMounted: true })
  await unmount(join(base, 'none'), { ifMounted: true })
  await assert.rejects(unmount(join(base, 'plain')), (error) => isErrno(error, 'EINVAL'))
})

const entry = new URL('../../src/kernel/pool.test-worker.ts', import.meta.url)

/** As snapd does: a pin on a mount that may be cloned. */
async function pinByAnother(folder: string): Promise<void> {
  mkdirSync(folder)
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, folder)
  writeFileSync(join(folder, 'keep'), '')
  // Linux 6.18 at times takes a new namespace for an old one, which it does not pin.
  await until('the namespace is pinned', async () => {
    const { status } = await runProcess('unshare', [`--mount=${join(folder, 'keep')}`, 'true'])
    return status.code === 0
  })
}

test('a program that re-executes itself shares one pinned mount namespace with its successor, and sees later host mounts', async (t) => {
  const base = scratch(t)
  const pin = join(base, 'run', 'mnt', 'daemon')
  const later = join(base, 'later')
  for (const name of ['later', 'root', 'seen', 'seen-other']) mkdirSync(join(base, name))
  await pinByAnother(join(base, 'other'))
  const program = new URL('./kernel.test-daemon.ts', import.meta.url).pathname
  const start = async (round: string): Promise<Record<string, unknown>> => {
    const { status, stdout, stderr } = await runProcess(process.execPath, [program, round, pin, base])
    assert.equal(status.code, 0, stderr.toString())
    return JSON.parse(stdout.toString()) as Record<string, unknown>
  }
  t.after(() => unpinMountNamespace(pin))
  const first = await start('first')
  assert.equal(first.sameNamespace, false)
  assert.equal(first.strangers, 0)
  assert.ok(!mountTable().some((entry) => entry.target === join(base, 'root')), 'a mount of the daemon leaked')
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, later)
  writeFileSync(join(later, 'file'), 'mounted on the host later')
  const second = await start('second')
  assert.equal(second.namespace, first.namespace)
  assert.equal(second.kept, 'kept')
  assert.equal(second.later, 'mounted on the host later')
  assert.deepEqual(second.inspected, { kind: 'folder', mode: 0o1777 })
  assert.deepEqual(second.seen, ['daemon'])
  assert.deepEqual(second.seenOther, ['keep'])
})

test('the pinned namespace works below a chroot', async (t) => {
  const base = scratch(t)
  const places = ['usr', 'bin', 'lib', 'lib64', 'etc', 'proc', 'dev'].filter((name) => existsSync(`/${name}`))
  const project = new URL('../..', import.meta.url).pathname
  const [entry, program] = [`${base}${project}`, new URL('./kernel.test-daemon.ts', import.meta.url).pathname]
  for (const folder of [
    ...places.map((name) => join(base, name)),
    entry,
    join(base, 'x/later'),
    join(base, 'x/root'),
    ...['x/seen', 'x/other', 'x/seen-other'].map((name) => join(base, name)),
  ]) {
    mkdirSync(folder, { recursive: true })
  }
  const script = `set -e; cd ${base}
for place in ${places.join(' ')}; do mount --rbind /$place ${base}/$place; done; mount --rbind ${project} ${entry}
run() { chroot ${base} ${process.execPath} ${program} $1 /x/mnt/pin /x; echo; }
run first; mount -t tmpfs tmpfs ${base}/x/later; echo later > ${base}/x/later/file; run second`
  const { status, stdout, stderr } = await runProcess('unshare', ['--mount', '--', 'sh', '-c', script])
  assert.equal(status.code, 0, stderr.toString())
  const [first, second] = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line): Record<string, unknown> => JSON.parse(line))
  assert.equal(second?.namespace, first?.namespace)
  assert.equal(second?.kept, 'kept')
  assert.equal(second?.later, 'later\n')
})

test('openHostMounts() without a namespace of its own takes the own view', async (t) => {
  const base = scratch(t)
  await using host = openHostMounts({ entry })
  await host.makeFolder(join(base, 'a', 'b'), 0o700)
  assert.deepEqual(await host.inspect(join(base, 'a', 'b')), { kind: 'folder', mode: 0o700 })
  assert.equal(await host.inspect(join(base, 'none')), undefined)
  writeFileSync(join(base, 'a', 'file'), 'read in place')
  const fd = await host.clone(join(base, 'a'))
  assert.equal(readFileSync(`${descriptorPath(fd)}/file`, 'utf8'), 'read in place')
  closeDescriptor(fd)
})

test('a network namespace is entered, left, and gone with its file', (t) => {
  const path = join(scratch(t), 'net')
  const own = readlinkSync('/proc/self/ns/net')
  createNetworkNamespace(path)
  const there = withNetworkNamespace(path, () => readlinkSync('/proc/thread-self/ns/net'))
  assert.notEqual(there, own)
  assert.throws(() => withNetworkNamespace(path, () => assert.fail('in the section')), /in the section/)
  assert.equal(readlinkSync('/proc/self/ns/net'), own)
  assert.throws(() => createNetworkNamespace(path), { code: 'EEXIST' })
  removeNetworkNamespace(path)
  removeNetworkNamespace(path)
  assert.equal(existsSync(path), false)
})

test('netlink answers dumps and says why it refuses', async (t) => {
  const path = join(scratch(t), 'net')
  createNetworkNamespace(path)
  using netlink = withNetworkNamespace(path, () => openNetlink(0))
  const links = netlink.request(rtMessage(18, 0x300))
  assert.equal(links.length >= 1, true)
  const [first] = links
  assert.equal(first?.readInt32LE(20), 1)
  assert.throws(
    () => netlink.request(rtMessage(17, 0, 99)),
    (error) => isErrno(error, 'ENODEV'),
  )
  await assert.rejects(netlink.requestAsync(rtMessage(17, 0, 98)), (error) => isErrno(error, 'ENODEV'))
  removeNetworkNamespace(path)
})

/** nlmsghdr and ifinfomsg. */
function rtMessage(type: number, flags: number, index = 0): Buffer {
  const message = Buffer.alloc(32)
  message.writeUInt16LE(type, 4)
  message.writeUInt16LE(flags, 6)
  message.writeInt32LE(index, 20)
  return message
}
