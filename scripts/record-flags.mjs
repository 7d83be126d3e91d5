// node scripts/record-flags.mjs --host unix:///path/docker.sock --docker /path/docker
// Writes the commands and flags that a docker client's help lists to src/cli/testdata/docker-flags.json, for help.test.ts
// to compare mica's with: of each flag its letter, the word for its value, and its default.
// The client hides what the engine at the host does not have.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { project } from './lib/place.mjs'

const { values } = parseArgs({ options: { host: { type: 'string' }, docker: { type: 'string', default: 'docker' } } })
if (!values.host) throw new Error('--host unix:///path/docker.sock is needed')
// Without plugins, and with the classic builder: what the client has of itself.
const env = {
  PATH: process.env.PATH,
  HOME: '/nonexistent',
  DOCKER_CONFIG: '/nonexistent',
  DOCKER_BUILDKIT: '0',
  DOCKER_HOST: values.host,
}

const commands = {}
walk([])
const folder = join(project, 'src/cli/testdata')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'docker-flags.json'), `${JSON.stringify(commands, undefined, 1)}\n`)

function walk(words) {
  const help = execFileSync(values.docker, [...words, '--help'], {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const inner = [...help.matchAll(/^[\w ]*Commands:\n((?: {2}.*\n)+)/gm)]
  const names = inner.flatMap(([, lines]) => [...lines.matchAll(/^ {2}([\w-]+)/gm)].map(([, name]) => name))
  if (words.length > 0) commands[words.join(' ')] = names.length > 0 ? 'group' : flagsIn(help)
  for (const name of names) walk([...words, name])
}

/** The client folds long texts: what is indented further belongs to the flag above. */
function flagsIn(help) {
  const [, block = ''] = /\n(?:Global )?Options:\n((?: {2}.*\n|\n)*)/.exec(`${help}\n`) ?? []
  const flags = {}
  for (const entry of block.split(/\n(?= {2}(?:-\w,| {3}) --)/)) {
    const [, letter, name, type = '', text = ''] =
      /^ {2}(?:-(\w), | {4})--([\w-]+)(?: (\S+))?(?: {2,}([^]*))?$/.exec(entry) ?? []
    if (name === undefined || name === 'help') continue
    const [, initial = ''] = /\(default ("[^"]*"|[^\s)]+)\)\s*$/.exec(text.replaceAll(/\s+/g, ' ')) ?? []
    flags[name] = [letter ?? '', type, initial]
  }
  return flags
}
