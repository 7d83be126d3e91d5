import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { dockerClient } from '#test/docker'
import type { Docker } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker
let mica: Docker

const BASE = `FROM scratch
COPY big /big
COPY conf /etc/conf
`
const TOP = `FROM look/base
COPY --chmod=600 other /etc/conf
COPY big /etc/more
ENV A=1
CMD ["x"]
`

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  docker = dockerClient(daemon.host)
  mica = micaClient(daemon.host)
  mkdirSync(folder.join('context'))
  writeFileSync(folder.join('context/big'), 'x'.repeat(1000))
  writeFileSync(folder.join('context/conf'), 'conf')
  writeFileSync(folder.join('context/other'), 'other')
  await build('look/base', BASE)
  await build('look/top', TOP)
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

async function build(name: string, dockerfile: string): Promise<void> {
  const cwd = folder.join('context')
  const { code, stdout, stderr } = await mica.run(['build', '-t', name, '-f', '-', '.'], { cwd, input: dockerfile })
  assert.equal(code, 0, stdout + stderr)
}

test('mica diff of two images: their config, each path, the totals; the other way round the opposite', async () => {
  assert.equal(
    await mica.ok('diff', 'look/base', 'look/top'),
    `config Cmd: none → ["x"]
config Env: +A=1
C       +1B  /etc/conf  (content, mode 0644 → 0600)
A      +1kB  /etc/more
1 file added (+1kB), 1 file changed (+1B), 0 files removed, +1kB in all; 2 of 2 and 4 layers shared`,
  )
  const back = await mica.ok('image', 'diff', 'look/top', 'look/base', '--format', '{{.Kind}} {{.Path}} {{.Size}}')
  assert.equal(back, 'C /etc/conf 4\nD /etc/more ')
  assert.equal(await mica.ok('diff', 'look/top', 'look/top'), 'no file differs; 4 of 4 and 4 layers shared')
})

test('mica diff: exit codes and refusals', async () => {
  const codeOf = async (...words: string[]): Promise<number> => (await mica.run(words)).code
  assert.equal(await codeOf('diff', '--exit-code', 'look/base', 'look/base'), 0)
  assert.equal(await codeOf('diff', '--exit-code', 'look/base', 'look/top'), 1)
  const missing = await mica.run(['diff', 'look/base', 'look/nosuch'])
  assert.deepEqual([missing.code, missing.stdout], [1, ''])
  assert.match(missing.stderr, /No such image: look\/nosuch:latest/)
  const container = await docker.ok('create', 'look/top')
  assert.equal(await mica.ok('diff', container), '')
  await docker.ok('rm', container)
})

test('mica layers --files: where each path comes from, what it hides, and how much is seen', async () => {
  const whole = await mica.ok('layers', '--files', 'look/top')
  const lines = whole.replaceAll(/[0-9a-f]{12}/g, 'LAYER').split('\n')
  assert.deepEqual(lines, [
    'LAYER       1kB  /big',
    'LAYER            /etc/',
    'LAYER        5B  /etc/conf  (hides 4B of LAYER)',
    'LAYER       1kB  /etc/more',
    '3 files seen (2kB) in 4 layers, 1 hidden (4B): 99.8% of the bytes are seen',
  ])
  const wasted = await mica.run(['layers', '--wasted', '--min-efficiency', '100', 'look/top'])
  assert.equal(wasted.code, 1)
  assert.match(wasted.stdout, /^[0-9a-f]{12} +5B  \/etc\/conf .*\n3 files seen/)
  assert.match(wasted.stderr, /only 99\.8% of the layers' bytes are seen, 100% are wanted/)
  const none = await mica.run(['layers', '--files', 'look/top', '/nosuch'])
  assert.deepEqual([none.code, none.stderr], [1, 'Error: no layer of look/top has /nosuch\n'])
})

test('mica images --tree draws an image under the one it was made from', async () => {
  const [, ...rows] = (await mica.ok('images', '--tree')).split('\n')
  assert.deepEqual(
    rows.map((row) =>
      row
        .replaceAll(/ {2,}/g, ' ')
        .replace(/[0-9a-f]{12}/, 'ID')
        .trimEnd(),
    ),
    ['look/base:latest ID 1kB 1kB', '└─ look/top:latest ID 2.01kB 1kB'],
  )
})
