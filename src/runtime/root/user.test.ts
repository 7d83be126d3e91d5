import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { lookUpUser, resolveUser } from './user.ts'

const files = {
  passwd: ['# comment', '', 'root:x:0:0:root:/root:/bin/sh', 'www:x:33:34::/:', '7:x:8:9::/:', 'odd:x:zz:1'].join('\n'),
  group: 'root:x:0:\nwheel:x:10:root,www\nwww:x:34:\naudio:x:63:www\n',
}

const cases: readonly [string, string, number, number, readonly number[]][] = [
  ['nobody asked for', '', 0, 0, [0, 10]],
  ['a name', 'www', 33, 34, [34, 10, 63]],
  ['a number with an entry', '33', 33, 34, [34, 10, 63]],
  ['a number without one', '4242', 4242, 0, [0]],
  ['a name that is a number', '7', 8, 9, [9]],
  ['name and group name', 'www:audio', 33, 63, [63]],
  ['numbers', '5:6', 5, 6, [6]],
  ['a group alone', ':audio', 0, 63, [63]],
  ['the largest id', '2147483647', 2147483647, 0, [0]],
]

for (const [what, user, uid, gid, additionalGids] of cases)
  test(`lookUpUser() takes ${what}`, () => {
    const { home: _, ...ids } = lookUpUser(files, user)
    assert.deepEqual(ids, { uid, gid, additionalGids })
  })

for (const [user, home] of [
  ['', '/root'],
  ['33', '/'],
  ['4242', '/'],
])
  test(`lookUpUser() gives «${user}» the home ${home}`, () => assert.equal(lookUpUser(files, user ?? '').home, home))

for (const [user, message] of [
  ['nobody', 'unable to find user nobody: no matching entries in passwd file'],
  ['www:nogroup', 'unable to find group nogroup: no matching entries in group file'],
  ['2147483648', 'uids and gids must be in range 0-2147483647'],
  ['4294967296', 'uids and gids must be in range 0-2147483647'],
  ['-1', 'uids and gids must be in range 0-2147483647'],
  ['0:4294967296', 'uids and gids must be in range 0-2147483647'],
  ['1e3', 'unable to find user 1e3: no matching entries in passwd file'],
])
  test(`lookUpUser() refuses ${user}`, () =>
    assert.throws(() => lookUpUser(files, user ?? ''), { kind: 'invalid', message }))

function root(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'mica-user-'))
  t.after(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'etc'))
  return folder
}

test('resolveUser() reads the files of the root, and needs none for a number', (t) => {
  const folder = root(t)
  assert.equal(resolveUser(folder, '5').uid, 5)
  writeFileSync(join(folder, 'etc/passwd'), files.passwd)
  assert.equal(resolveUser(folder, 'www').uid, 33)
})

test('resolveUser() follows links inside the root only', (t) => {
  const folder = root(t)
  symlinkSync('/etc/real', join(folder, 'etc/passwd'))
  writeFileSync(join(folder, 'etc/real'), 'inside:x:77:77::/:')
  symlinkSync('../../../../../etc/group', join(folder, 'etc/group'))
  assert.equal(resolveUser(folder, 'inside').uid, 77)
  assert.throws(() => resolveUser(folder, 'root:daemon'), { kind: 'invalid' })
})

test('resolveUser() takes what is no plain file for an absent one, and refuses giant files', (t) => {
  const folder = root(t)
  mkdirSync(join(folder, 'etc/passwd'))
  assert.throws(() => resolveUser(folder, 'root'), { message: /no matching entries in passwd file/ })
  writeFileSync(join(folder, 'etc/group'), '')
  truncateSync(join(folder, 'etc/group'), 1 << 30)
  assert.throws(() => resolveUser(folder, '0'), { kind: 'invalid', message: /larger than/ })
})
