import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { chooseHost } from './host.ts'
import { commands, groups } from './table.ts'

test('chooseHost() prefers -H, then MICA_HOST, then DOCKER_HOST, then its own default', () => {
  const table: readonly (readonly [string | undefined, Record<string, string>, string, boolean])[] = [
    [undefined, {}, 'unix:///run/mica/mica.sock', true],
    [undefined, { DOCKER_HOST: 'unix:///var/run/docker.sock' }, 'unix:///var/run/docker.sock', false],
    [undefined, { DOCKER_HOST: 'unix:///run/mica/mica.sock' }, 'unix:///run/mica/mica.sock', true],
    [undefined, { DOCKER_HOST: 'x', MICA_HOST: 'unix:///m' }, 'unix:///m', true],
    [undefined, { MICA_HOST: '' }, 'unix:///run/mica/mica.sock', true],
    ['unix:///run/mica/mica.sock', {}, 'unix:///run/mica/mica.sock', true],
    ['unix:///slip', {}, 'unix:///slip', false],
    ['tcp://127.0.0.1:1', { MICA_HOST: 'unix:///m' }, 'tcp://127.0.0.1:1', false],
  ]
  for (const [flag, env, text, startable] of table) assert.deepEqual(chooseHost(flag, env), { text, startable })
})

test('every command of the table loads, and has a summary', async () => {
  const entries = [...commands, ...Object.values(groups)].flatMap((group) => Object.entries(group.entries))
  for (const [name, entry] of entries) {
    const command = await entry.load()
    assert.ok(command.summary.length > 0 && entry.summary.length > 0, name)
  }
})

test('the version of the client is that of the package', () => {
  const root = new URL('../../', import.meta.url)
  const declared = /"version": "([^"]+)"/.exec(readFileSync(new URL('package.json', root), 'utf8'))?.[1]
  const own = /VERSION = '([^']+)'/.exec(readFileSync(new URL('src/bin/version.ts', root), 'utf8'))?.[1]
  assert.equal(own, declared)
})
