import type { TestDaemon } from '#test/daemon'
import { startDaemon } from '#test/daemon'
import { type Outcome, runProgram, type RunOptions } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { micaClient } from '#test/mica'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

ownMountNamespace()

const PROJECT = join(import.meta.dirname, '..', '..')
const folder = temporary()
const leftovers = watchLeftovers(folder.path)
const installed = folder.join('node_modules/mica')
const IMAGES = ['cli.image', 'short.image']
let daemon: TestDaemon

/** A file of the installed bundle. */
const distributed = (name: string): string => join(installed, 'dist', name)

/** `bin/mica` of the installed package. */
const typed = (words: readonly string[], options: RunOptions = {}): Promise<Outcome> =>
  runProgram(join(installed, 'bin/mica'), ['-H', daemon.host, ...words], options)

before(async () => {
  daemon = await startDaemon({ folder: folder.path })
  await install()
})

after(async () => {
  await daemon.stop({ all: true })
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

/** As npm does with the package that `npm pack` makes, its dependencies beside it; its own script for afterwards too. */
async function install(): Promise<void> {
  await succeed('npm', ['pack', '--silent', '--pack-destination', folder.path], {
    cwd: PROJECT,
    env: { HOME: folder.path, npm_config_cache: folder.join('cache') },
  })
  mkdirSync(folder.join('node_modules'))
  const archive = readdirSync(folder.path).find((name) => name.endsWith('.tgz')) ?? 'no archive'
  await succeed('tar', ['-xzf', folder.join(archive), '-C', folder.join('node_modules')])
  renameSync(folder.join('node_modules/package'), installed)
  for (const name of readdirSync(join(PROJECT, 'node_modules')).filter((name) => /^(koffi|node-linux-.*)$/.test(name)))
    symlinkSync(realpathSync(join(PROJECT, 'node_modules', name)), folder.join('node_modules', name))
  assert.equal((await typed(['version'])).code, 0, 'before there is an image')
  for (const name of IMAGES) assert.equal(existsSync(distributed(name)), false)
  await succeed(process.execPath, [join(installed, 'scripts/image.mjs')])
  // Each start reads all of it: with the code of functions that no command has run it would be a megabyte more.
  assert.ok(statSync(distributed('cli.image')).size < 3_300_000)
  assert.ok(statSync(distributed('short.image')).size < 2_900_000)
}

async function succeed(file: string, words: readonly string[], options: RunOptions = {}): Promise<void> {
  const { code, stdout, stderr } = await runProgram(file, words, options)
  assert.equal(code, 0, `${file} ${words.join(' ')}: ${stdout}${stderr}`)
}

test('the installed mica says what the sources say, for commands that the image has tried and for others', async () => {
  const sources = micaClient(daemon.host)
  for (const line of [
    'run -d --name one busybox sleep 1d',
    'run --rm nosuchimage:1',
    'exec one nosuch',
    'inspect nosuch',
    'ps -a --format {{.Names}}:{{.Image}}:{{.Labels}}',
    'images --format json',
    'version --format {{.Client.Version}}',
    'history --no-trunc busybox',
    'network ls --format {{.Name}}',
    'volume ls',
    'layers one',
    'rm -f one',
    '--help',
    'build --help',
    'nosuch',
    'completion bash',
    '__complete run --na',
  ]) {
    const words = line.split(' ')
    const own = await typed(words)
    // What the first has made or removed is not there for the second.
    if (line.startsWith('run -d') || line.startsWith('rm -f')) assert.equal(own.code, 0, own.stderr)
    else assert.deepEqual(own, await sources.run(words), line)
  }
})

test('input, exit statuses, bytes in both directions and builds go through the image', async () => {
  const bytes = 'x'.repeat(300_000)
  const piped = await typed(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'cat; exit 7'], { input: bytes })
  assert.deepEqual([piped.code, piped.stdout.length], [7, bytes.length])
  mkdirSync(folder.join('context'))
  writeFileSync(folder.join('context/Dockerfile'), 'FROM busybox\nCOPY Dockerfile /\n')
  const built = await typed(['build', '-t', 'small', '.'], { cwd: folder.join('context') })
  assert.equal(built.code, 0, built.stderr)
  const script = `${installed}/bin/mica -H ${daemon.host} run --rm small sh -c 'yes | head -c 1000000' | head -n 1`
  assert.equal((await runProgram('sh', ['-c', script])).stdout, 'y\n')
})

test('the environment is that of each start', async () => {
  mkdirSync(folder.join('config'))
  writeFileSync(folder.join('config/config.json'), '{"psFormat":"mine {{.Names}}"}')
  assert.equal((await typed(['create', '--name', 'shown', 'busybox'])).code, 0)
  const { stdout } = await typed(['ps', '-a', '--filter', 'name=shown'], {
    env: { DOCKER_CONFIG: folder.join('config') },
  })
  assert.equal(stdout, 'mine shown\n')
  assert.equal((await typed(['rm', 'shown'])).stdout, 'shown\n')
  // what bin/mica sets for a short command is neither a container's nor another program's
  assert.equal((await typed(['run', '-d', '--name', 'given', 'busybox', 'sleep', '1d'])).code, 0)
  const given = ['exec', '-e', 'GLIBC_TUNABLES', 'given', 'sh', '-c', 'echo "<$GLIBC_TUNABLES>"']
  assert.equal((await typed(given)).stdout, '<>\n')
  assert.equal(
    (await typed(given, { env: { GLIBC_TUNABLES: 'glibc.malloc.check=0' } })).stdout,
    '<glibc.malloc.check=0>\n',
  )
  assert.equal((await typed(['rm', '-f', 'given'])).code, 0)
})

/** What bin/mica starts with the short image, as words. */
function shortCommands(): readonly (readonly string[])[] {
  const launcher = readFileSync(join(PROJECT, 'bin/mica'), 'utf8')
  const [, list = ''] = /case \$command in(.*?)\) short=short/s.exec(launcher) ?? []
  return list.split('|').map((each) =>
    each
      .replace(/[\\\s*]/g, '')
      .split('/')
      .filter(Boolean),
  )
}

test('the short image has the commands that bin/mica starts with it, and others become the CLI without', async () => {
  renameSync(distributed('cli.image'), folder.join('cli.image'))
  renameSync(distributed('cli.js'), folder.join('cli.js'))
  writeFileSync(distributed('cli.js'), 'process.stdout.write(`without: ${process.argv.slice(2)}`)\n')
  const commands = shortCommands()
  assert.ok(commands.length > 20)
  for (const words of commands)
    assert.match((await typed([...words, '--help'])).stdout, /^\s*Usage: +mica/, words.join(' '))
  const [node] = readdirSync(folder.join('node_modules')).filter((name) => name.startsWith('node-linux-'))
  const start = ['--snapshot-blob', distributed('short.image'), '--', distributed('cli.js')]
  const other = await runProgram(folder.join('node_modules', node ?? '', 'bin/node'), [...start, 'layers', 'x'])
  assert.equal(other.stdout, 'without: layers,x')
  for (const name of ['cli.image', 'cli.js']) renameSync(folder.join(name), distributed(name))
})

test('an image older than its Node is left alone, and a source newer than the bundle is bundled first', async () => {
  for (const name of IMAGES) utimesSync(distributed(name), 1, 1)
  writeFileSync(distributed('cli.js'), "process.stdout.write('without')\n")
  assert.equal((await typed(['version'])).stdout, 'without')
  mkdirSync(join(installed, 'src'))
  writeFileSync(join(installed, 'src/some.ts'), '')
  writeFileSync(join(installed, 'scripts/build.mjs'), "process.stderr.write('built ')\n")
  writeFileSync(distributed('sources.sh'), 'stale=\n')
  assert.equal((await typed(['version'])).stderr, '')
  writeFileSync(distributed('sources.sh'), '[ "$root/src/some.ts" -nt "$root/dist/bundle-id" ] && return\nstale=\n')
  assert.equal((await typed(['version'])).stderr, 'built ')
})
