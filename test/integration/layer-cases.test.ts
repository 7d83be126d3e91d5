import { type TarSource, writeTar } from '#archive'
import { collect } from '#base'
import { getXattr, makeNode } from '#kernel'
import { layerJobs } from '#store/layer'
import { ownMountNamespace } from '#test/mount-namespace'
import { type Temporary, temporary } from '#test/temporary'
import { treeFacts } from '#test/tree-facts'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  constants,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { test } from 'node:test'

ownMountNamespace()

const context = { cancelled: () => false, report: () => undefined }
const OPAQUE = 'trusted.overlay.opaque'

/** A folder with two lowers (topmost first), an upper, and a canary beside them. */
function makeRoot(folder: Temporary): { readonly upper: string; readonly lowers: readonly string[] } {
  const [upper, high, low] = ['upper', 'high', 'low'].map((name) => folder.join(name)) as [string, string, string]
  for (const path of [upper, high, `${low}/usr/lib`, `${low}/etc`, `${low}/hidden/inner`, folder.join('canary')]) {
    mkdirSync(path, { recursive: true })
  }
  writeFileSync(folder.join('canary/secret'), 'nobody may touch this')
  chmodSync(`${low}/usr/lib`, 0o2750)
  chownSync(`${low}/usr/lib`, 7, 8)
  symlinkSync('usr/lib', `${low}/lib`)
  writeFileSync(`${low}/file`, '')
  makeNode(`${high}/hidden`, constants.S_IFCHR, 0)
  mkdirSync(`${high}/etc`)
  chmodSync(`${high}/etc`, 0o700)
  return { upper, lowers: [high, low] }
}

const file = (path: string, more: Partial<TarSource> = {}): TarSource => ({
  kind: 'file',
  path,
  mode: 0o644,
  body: Buffer.from('x'),
  ...more,
})
const link = (path: string, to: string): TarSource => ({ kind: 'symlink', path, link: to })
const hard = (path: string, to: string): TarSource => ({ kind: 'hardlink', path, link: to })
const folder = (path: string, more: Partial<TarSource> = {}): TarSource => ({
  kind: 'directory',
  path,
  mode: 0o755,
  ...more,
})
const isWhiteout = (path: string): boolean => lstatSync(path).isCharacterDevice() && lstatSync(path).rdev === 0
const isOpaque = (path: string): boolean => getXattr(path, OPAQUE)?.toString() === 'y'

async function apply(
  root: { readonly upper: string; readonly lowers: readonly string[] },
  entries: readonly TarSource[],
): Promise<void> {
  const tar = await collect(writeTar(entries))
  const path = `${root.upper}.tar`
  writeFileSync(path, tar)
  const diffId = `sha256:${createHash('sha256').update(tar).digest('hex')}`
  layerJobs['layer.apply']({ tar: { path }, ...root, diffId }, context)
}

const REFUSED: readonly (readonly [what: string, entries: readonly TarSource[], why: RegExp])[] = [
  ['a path out of the root', [file('../canary/secret')], /"..\/canary\/secret" leaves the root/],
  ['a path out of the root by a detour', [file('a/../../canary/secret')], /leaves the root/],
  ['a whiteout out of the root', [file('../canary/.wh.secret')], /leaves the root/],
  ['a hard link out of the root', [hard('a', '../canary/secret')], /leaves the root/],
  [
    'a hard link to what only a link leads to',
    [link('up', '../../canary'), hard('a', 'up/secret')],
    /no file of this layer/,
  ],
  ['a hard link to a folder', [folder('d'), hard('a', 'd')], /no file of this layer/],
  ['a hard link to a file of the layers below', [hard('a', 'file')], /no file of this layer/],
  ['the root as a link', [link('.', '/')], /would replace the root/],
  ['the root as a file', [file('a/..')], /would replace the root/],
  ['a whiteout of nothing', [file('.wh.')], /names nothing/],
  ['a whiteout of the parent', [file('a/.wh...')], /names nothing/],
  ['a folder named like a whiteout', [file('.wh.a/b')], /named like a whiteout/],
  ['something below a file', [file('a'), file('a/b')], /is no folder/],
  ['something below a file of the layers below', [file('file/b')], /is no folder/],
  ['a circle of links', [link('a', 'b'), link('b', 'a'), file('a/c')], /too many|ELOOP/i],
  ['an owner that is none', [file('a', { uid: 0xffffffff })], /impossible owner/],
  ['a device that is none', [{ kind: 'block', path: 'a', major: 4096, minor: 0 }], /impossible device/],
  ['a name that is too long', [file('n'.repeat(256))], /ENAMETOOLONG/],
  ['a path that is too long', [file('n/'.repeat(2100).concat('x'))], /too long/],
  [
    'an attribute in a form that the kernel refuses',
    [file('a', { xattrs: new Map([['security.capability', Buffer.from('?')]]) })],
    /EINVAL/,
  ],
]

for (const [what, entries, why] of REFUSED) {
  test(`a layer with ${what} is refused, and nothing beside the root is touched`, async () => {
    using place = temporary()
    const root = makeRoot(place)
    const outside = [...root.lowers, place.join('canary')].map((path) => treeFacts(path))
    await assert.rejects(apply(root, entries), (error: unknown) => {
      assert(error instanceof Error && 'kind' in error && error.kind === 'invalid', String(error))
      assert.match(error.message, why)
      return true
    })
    assert.deepEqual(
      [...root.lowers, place.join('canary')].map((path) => treeFacts(path)),
      outside,
    )
  })
}

type Check = (upper: string) => void

const APPLIED: readonly (readonly [what: string, entries: readonly TarSource[], check: Check])[] = [
  ['an absolute path stays inside', [file('/a')], (upper) => assert.equal(readFileSync(`${upper}/a`, 'utf8'), 'x')],
  [
    'an absolute link leads to what is inside',
    [link('abs', '/canary'), file('abs/secret')],
    (upper) => assert.equal(readFileSync(`${upper}/canary/secret`, 'utf8'), 'x'),
  ],
  [
    'a whiteout through a link hides what is inside',
    [link('up', '../../canary'), file('up/.wh.secret')],
    (upper) => assert(isWhiteout(`${upper}/canary/secret`)),
  ],
  [
    'a link of a layer below is followed, and its target copied up as it was',
    [file('lib/new')],
    (upper) => {
      const { mode, uid, gid } = lstatSync(`${upper}/usr/lib`)
      assert.deepEqual([mode & 0o7777, uid, gid], [0o2750, 7, 8])
      assert.equal(readFileSync(`${upper}/usr/lib/new`, 'utf8'), 'x')
      assert.throws(() => lstatSync(`${upper}/lib`))
    },
  ],
  [
    'a folder that is missing here is as the topmost layer below has it',
    [file('etc/new')],
    (upper) => assert.equal(lstatSync(`${upper}/etc`).mode & 0o777, 0o700),
  ],
  [
    'a folder that a layer below has removed is not taken from deeper down',
    [file('hidden/new')],
    (upper) => assert.equal(lstatSync(`${upper}/hidden`).mode & 0o777, 0o755),
  ],
  [
    'of two with one name the last wins',
    [folder('a'), file('a/b'), file('a')],
    (upper) => assert(lstatSync(`${upper}/a`).isFile()),
  ],
  [
    'a folder in the place of a file hides what is below',
    [file('etc'), folder('etc')],
    (upper) => assert(isOpaque(`${upper}/etc`)),
  ],
  [
    'a folder made after its own removal hides what is below',
    [file('.wh.etc'), file('etc/new')],
    (upper) => assert(isOpaque(`${upper}/etc`) && lstatSync(`${upper}/etc/new`).isFile()),
  ],
  ['an opaque mark is set', [folder('etc'), file('etc/.wh..wh..opq')], (upper) => assert(isOpaque(`${upper}/etc`))],
  [
    'an opaque root hides every name of the layers below',
    [file('.wh..wh..opq'), folder('etc')],
    (upper) => {
      assert(isWhiteout(`${upper}/usr`) && isWhiteout(`${upper}/lib`) && isOpaque(`${upper}/etc`))
      assert.throws(() => lstatSync(`${upper}/hidden`))
    },
  ],
  [
    'what AUFS kept for itself is left out',
    [folder('.wh..wh.plnk'), file('.wh..wh.plnk/a')],
    (upper) => assert.deepEqual(treeFacts(upper), []),
  ],
  [
    "overlay's own attributes are left out",
    [
      folder('a', {
        xattrs: new Map([
          [OPAQUE, Buffer.from('y')],
          ['trusted.overlay.redirect', Buffer.from('/etc')],
          ['user.kept', Buffer.from('k')],
          ['nospace', Buffer.from('n')],
        ]),
      }),
    ],
    (upper) => {
      assert.equal(getXattr(`${upper}/a`, OPAQUE), undefined)
      assert.equal(getXattr(`${upper}/a`, 'trusted.overlay.redirect'), undefined)
      assert.equal(getXattr(`${upper}/a`, 'user.kept')?.toString(), 'k')
    },
  ],
  [
    'the root takes mode and time of its entry',
    [folder('./', { mode: 0o1777, mtime: 1_000_000_000n })],
    (upper) => assert.deepEqual([lstatSync(upper).mode & 0o7777, lstatSync(upper).mtimeMs], [0o1777, 1000]),
  ],
  [
    'a folder keeps its time though something is put into it later',
    [folder('d', { mtime: 5_000_000_007n }), file('d/a'), file('d/b')],
    (upper) => assert.equal(lstatSync(`${upper}/d`, { bigint: true }).mtimeNs, 5_000_000_007n),
  ],
]

for (const [what, entries, check] of APPLIED) {
  test(`when a layer is applied, ${what}`, async () => {
    using place = temporary()
    const root = makeRoot(place)
    await apply(root, entries)
    check(root.upper)
    assert.equal(readFileSync(place.join('canary/secret'), 'utf8'), 'nobody may touch this')
  })
}

test('a name that layers keep for removals is not packed', () => {
  using place = temporary()
  mkdirSync(place.join('upper'))
  writeFileSync(place.join('upper/.wh.mine'), '')
  assert.throws(() => layerJobs['layer.diff']({ upper: place.join('upper') }, context), { kind: 'unsupported' })
})
