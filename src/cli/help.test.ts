import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { userSetting } from '#cli/kit'
import type { Output } from '#cli/kit'
import { flagValues } from './complete-values.ts'
import { runCli } from './main.ts'
import { notYet } from './not-yet.ts'
import { commands, groups } from './table.ts'

interface Said {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

/** Words to the CLI where no daemon listens: what help and wrong words say takes none. */
async function say(...words: readonly string[]): Promise<Said> {
  const texts = { stdout: '', stderr: '' }
  const output = (name: keyof typeof texts): Output => ({
    terminal: false,
    write: (chunk) => void (texts[name] += String(chunk)),
    size: () => ({ rows: 0, columns: 0 }),
    drained: () => Promise.resolve(),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  })
  const refuse = (): never => assert.fail('no program is to be run')
  const bytes = (async function* () {})()
  const nothing = { [Symbol.dispose]: () => undefined }
  const exit = await runCli({
    words,
    env: { DOCKER_HOST: 'unix:///nonexistent/mica.sock' },
    cwd: '/',
    io: {
      stdout: output('stdout'),
      stderr: output('stderr'),
      stdin: { terminal: false, bytes, raw: () => nothing },
      onSignals: () => nothing,
    },
    now: () => 0,
    version: '1.2.3',
    runProgram: refuse,
    becomeDaemon: refuse,
    startDaemon: refuse,
  })
  return { exit, ...texts }
}

const ALL = [
  ...commands.flatMap(({ entries }) => Object.entries(entries).map(([name, entry]) => [[name], entry] as const)),
  ...Object.entries(groups).flatMap(([group, { entries }]) =>
    Object.entries(entries).map(([name, entry]) => [[group, name], entry] as const),
  ),
]

for (const [words, entry] of ALL) {
  // its words are read by the daemon's program
  if (words[0] === 'daemon') continue
  const name = `mica ${words.join(' ')}`
  test(`${name} --help shows usage, what it does and each flag; a wrong flag is refused`, async () => {
    const command = await entry.load()
    const { exit, stdout, stderr } = await say(...words, '--help')
    assert.deepEqual([exit, stderr], [0, ''])
    assert.ok(stdout.startsWith(`Usage:  ${name} ${command.usage}`.trimEnd()), stdout)
    assert.ok(stdout.includes(command.summary), stdout)
    for (const [flag, { help }] of Object.entries(command.flags)) {
      assert.ok(stdout.includes(`--${flag}`) && stdout.includes(help), `${flag} is not explained`)
      assert.match(help, /^["\p{Lu}]/u, `${flag}: «${help}» begins as a sentence`)
    }
    assert.deepEqual(await say('help', ...words), { exit, stdout, stderr })
    const wrong = await say(...words, '--nosuch')
    assert.deepEqual([wrong.exit, wrong.stdout], [125, ''])
    assert.match(
      wrong.stderr,
      /^unknown flag: --nosuch\n\nUsage: {2}mica [^]*\n\nRun 'mica .* --help' for more information\n$/,
    )
  })
}

type Recorded = Readonly<Record<string, 'group' | Readonly<Record<string, readonly [string, string, string]>>>>

/** Of a real docker client (scripts/record-flags.mjs). */
const DOCKER: Recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata', 'docker-flags.json'), 'utf8'))

/** Defaults that say nothing: the zero of each kind. */
const ZEROS: ReadonlySet<string> = new Set(['[]', 'map[]', '0', '0s'])

/** Flags that mica has and docker's help does not show: its own, and docker's old names. */
const OWN: Readonly<Record<string, readonly string[]>> = {
  'container create': ['dns-opt', 'net'],
  'container restart': ['time'],
  'container run': ['dns-opt', 'net'],
  'container start': ['sig-proxy'],
  'container stop': ['time'],
  create: ['dns-opt', 'net'],
  diff: ['exit-code', 'format', 'times'],
  'image push': ['compression'],
  push: ['compression'],
  restart: ['time'],
  run: ['dns-opt', 'net'],
  start: ['sig-proxy'],
  stop: ['time'],
  'volume create': ['name'],
}

/** Flags of docker's that are not there yet: no manifest list is made here. */
const LACKING: readonly string[] = ['manifest inspect --verbose']

const WORDS = { switch: '', text: 'string', number: 'int', list: 'list' } as const

for (const [name, recorded] of Object.entries(DOCKER)) {
  if (recorded === 'group' || isNotYet(name)) continue
  test(`mica ${name} has docker's flags, with their letters, values and defaults`, async () => {
    const entry = ALL.find(([words]) => words.join(' ') === name)?.[1]
    assert.ok(entry, `mica has no ${name}, and not-yet.ts does not name it`)
    const own = OWN[name] ?? []
    const { flags } = await entry.load()
    const mine = Object.entries(flags)
      .filter(([flag]) => !own.includes(flag))
      .map(([flag, { kind, short = '', value = WORDS[kind], on, initial = on ? 'true' : '' }]) => [
        flag,
        [short, value, initial],
      ])
    const theirs = Object.entries(recorded)
      .filter(([flag]) => !LACKING.includes(`${name} --${flag}`))
      .map(([flag, [short, value, initial]]) => [flag, [short, value, ZEROS.has(initial) ? '' : initial]])
    assert.deepEqual(Object.fromEntries(mine), Object.fromEntries(theirs))
    for (const flag of own) assert.ok(Object.hasOwn(flags, flag) && !Object.hasOwn(recorded, flag), flag)
  })
}

function isNotYet(name: string): boolean {
  return notYet.has(name) || notYet.has(name.split(' ')[0] ?? '')
}

test('what docker has and mica does not is refused by its name', async () => {
  for (const name of ['stats', 'swarm init', 'volume update x'])
    assert.deepEqual(await say(...name.split(' ')), {
      exit: 1,
      stdout: '',
      stderr: `mica ${name.replace(/ (init|x)$/, '')}: not yet carried out by mica\n`,
    })
  for (const name of notYet) {
    const [first = '', second] = name.split(' ')
    const has =
      second === undefined ? ALL.some(([words]) => words[0] === first) : ALL.some(([words]) => words.join(' ') === name)
    assert.ok(!has, `mica has ${name}`)
  }
})

test('the commands of every day show examples, which are lines of theirs with flags that they know', async () => {
  for (const name of ['run', 'exec', 'logs', 'cp', 'build']) {
    const { stdout } = await say(name, '--help')
    const lines = stdout.split('\nExamples:\n')[1]?.trimEnd().split('\n') ?? []
    assert.ok(lines.length >= 2, name)
    for (const line of lines) assert.match(line, new RegExp(`^  (.* \\| )?mica ${name} `))
    const entry = ALL.find(([words]) => words.join(' ') === name)?.[1]
    const known = Object.keys((await entry?.load())?.flags ?? {})
    for (const [, flag = ''] of lines.join(' ').matchAll(/ --([a-z-]+)/g)) assert.ok(known.includes(flag), flag)
  }
})

test('what may follow a flag is completed, where a flag of that name has a value', async () => {
  const table: readonly (readonly [readonly string[], string])[] = [
    [['run', '--pull', ''], 'always\nmissing\nnever\n:4\n'],
    [['run', '--rm', '--pull', 'm'], 'missing\n:4\n'],
    [['container', 'kill', '-s', 'US'], 'USR1\nUSR2\n:4\n'],
    [['run', '-ia', 'std'], 'stderr\nstdin\nstdout\n:4\n'],
    [['run', '--network', ''], ':4\n'],
    [['run', '--link', ''], ':6\n'],
    [['run', '-e', 'DOCKER'], 'DOCKER_HOST\n:4\n'],
    [['run', '--cidfile', ''], ':0\n'],
    [['ps', '-a', '--no'], '--no-trunc\n:4\n'],
  ]
  for (const [words, stdout] of table)
    assert.deepEqual(await say('__completeNoDesc', ...words), { exit: 0, stdout, stderr: '' }, words.join(' '))
  const commandsOfAll = await Promise.all(ALL.map(([, entry]) => entry.load()))
  for (const name of Object.keys(flagValues)) {
    const kinds = commandsOfAll.flatMap(({ flags }) => flags[name]?.kind ?? [])
    assert.ok(
      kinds.some((kind) => kind !== 'switch'),
      name,
    )
  }
})

test('mica help names all commands and groups; a group its commands', async () => {
  const { exit, stdout } = await say('help')
  assert.equal(exit, 0)
  for (const name of [...commands.flatMap(({ entries }) => Object.keys(entries)), ...Object.keys(groups)])
    assert.match(stdout, new RegExp(`^  ${name} `, 'm'))
  assert.deepEqual(await say('--help'), await say('help'))
  const group = await say('image', '--help')
  for (const name of Object.keys(groups['image']?.entries ?? {}))
    assert.match(group.stdout, new RegExp(`^  ${name} `, 'm'))
})

test('unknown commands and flags: words and exit statuses of docker', async () => {
  assert.deepEqual(await say('nosuch'), {
    exit: 1,
    stdout: '',
    stderr: "mica: unknown command: mica nosuch\n\nRun 'mica --help' for more information\n",
  })
  assert.equal((await say('image', 'nosuch')).exit, 1)
  assert.equal((await say('--nosuch')).exit, 125)
})

test('userSetting() reads the form of a list out of config.json, and passes over all else', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-settings-'))
  const env = { DOCKER_CONFIG: folder }
  try {
    assert.equal(userSetting({ env }, 'psFormat'), undefined)
    const path = join(folder, 'config.json')
    writeFileSync(
      path,
      JSON.stringify({ psFormat: '{{.ID}}', imagesFormat: 'json', statsFormat: 'x', volumesFormat: 1 }),
    )
    assert.equal(userSetting({ env }, 'psFormat'), '{{.ID}}')
    assert.equal(userSetting({ env }, 'imagesFormat'), 'json')
    assert.equal(userSetting({ env }, 'networksFormat'), undefined)
    assert.equal(userSetting({ env }, 'volumesFormat'), undefined)
    writeFileSync(path, '{ "psFormat": ')
    assert.equal(userSetting({ env }, 'psFormat'), undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
