import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { withMountPoints } from './mount-point.ts'
import { changeHosts, hostsText, type NameFacts, readdressHosts, renewResolver, writeNameFiles } from './name-file.ts'

const FACTS: NameFacts = { hostname: 'box', addresses: ['10.0.0.2'], hostNetwork: false }

for (const [what, facts, expected] of [
  ['names the container at its addresses', {}, ['10.0.0.2\tbox']],
  ['has the whole name first', { domainname: 'lan' }, ['10.0.0.2\tbox.lan box']],
  ['shortens a host name with dots', { hostname: 'a.b.c', domainname: 'd.e' }, ['10.0.0.2\ta.b.c.d.e a']],
  ['has a line for each address', { addresses: ['10.0.0.2', 'fd00::2'] }, ['10.0.0.2\tbox', 'fd00::2\tbox']],
  [
    'has what was asked for before its own',
    { more: [{ address: '1.2.3.4', names: ['x', 'y'] }] },
    ['1.2.3.4\tx y', '10.0.0.2\tbox'],
  ],
  ['has no own line in the network of the host', { hostNetwork: true }, []],
] as const)
  test(`hostsText() ${what}`, () => {
    const lines = hostsText({ ...FACTS, ...facts }).split('\n')
    assert.equal(lines[0], '127.0.0.1\tlocalhost')
    assert.deepEqual(lines.slice(6), [...expected, ''])
  })

test('changeHosts() and readdressHosts() leave the lines of others, and the file itself', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'names-'))
  context.after(() => rmSync(folder, { recursive: true }))
  const link = { address: '10.0.0.9', names: ['db', 'a1b2', 'mysql'] }
  writeNameFiles(folder, { ...FACTS, more: [link] })
  const path = join(folder, 'hosts')
  const { ino } = statSync(path)
  appendFileSync(path, '9.9.9.9 mine\n')
  changeHosts(folder, {
    add: [{ address: '10.1.0.2', names: ['box'] }],
    remove: [{ address: '10.0.0.2', names: ['box'] }],
  })
  readdressHosts(folder, [
    { ...link, address: '10.0.0.7' },
    { address: '10.0.0.8', names: ['q', 'r'] },
  ])
  const lines = readFileSync(path, 'utf8').split('\n').slice(6)
  assert.deepEqual(lines, ['10.0.0.7\tdb a1b2 mysql', '9.9.9.9 mine', '10.1.0.2\tbox', '10.0.0.8\tq r', ''])
  assert.equal(statSync(path).ino, ino)
})

test('a file that its container made long is not read, and stays as it is', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'names-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeNameFiles(folder, FACTS)
  for (const name of ['hosts', 'resolv.conf']) truncateSync(join(folder, name), 10 * 2 ** 30)
  changeHosts(folder, { add: [{ address: '10.1.0.2', names: ['box'] }] })
  readdressHosts(folder, [{ address: '10.0.0.7', names: ['db', 'other'] }])
  renewResolver(folder, FACTS, { ...FACTS, resolver: true })
  for (const name of ['hosts', 'resolv.conf']) assert.equal(statSync(join(folder, name)).size, 10 * 2 ** 30)
})

test('renewResolver() leaves a file that somebody edited', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'names-'))
  context.after(() => rmSync(folder, { recursive: true }))
  writeNameFiles(folder, FACTS)
  const path = join(folder, 'resolv.conf')
  const resolved = { ...FACTS, resolver: true }
  renewResolver(folder, FACTS, resolved)
  assert.match(readFileSync(path, 'utf8'), /^nameserver 127\.0\.0\.11$/m)
  appendFileSync(path, 'options rotate\n')
  renewResolver(folder, resolved, FACTS)
  assert.match(readFileSync(path, 'utf8'), /127\.0\.0\.11[^]*rotate/)
})

test('withMountPoints() puts the places below the lowest layer', () => {
  const overlay = {
    type: 'overlay',
    source: 'overlay',
    options: ['lowerdir+=/a', 'lowerdir+=/b', 'upperdir=/u', 'workdir=/w'],
  }
  assert.deepEqual(withMountPoints([overlay], '/points')[0]?.options, [
    'lowerdir+=/a',
    'lowerdir+=/b',
    'lowerdir+=/points',
    'upperdir=/u',
    'workdir=/w',
  ])
})

test('withMountPoints() makes an overlay of a root without layers', () => {
  const [mount] = withMountPoints([{ type: 'bind', source: '/s/1/fs', options: ['bind', 'rw'] }], '/points')
  assert.equal(mount?.type, 'overlay')
  assert.deepEqual(mount.options.slice(0, 3), ['lowerdir+=/points', 'upperdir=/s/1/fs', 'workdir=/s/1/work'])
})
