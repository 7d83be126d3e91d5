// npm run example:wordpress: builds the images mysql and wordpress, starts both, and prints the blog's address.
// `-- --down` removes the two containers with their data.
import { join } from 'node:path'
import { ask, ensureEngine, show } from './lib/engine.mjs'
import { project } from './lib/place.mjs'
import { say, script, Stop, until } from './lib/run.mjs'

const RUN = {
  'some-mysql': ['run', '--name', 'some-mysql', '-e', 'MYSQL_ROOT_PASSWORD=mysecretpassword', '-d', 'mysql'],
  'some-wordpress': ['run', '--name', 'some-wordpress', '--link', 'some-mysql:mysql', '-p', '80', '-d', 'wordpress'],
}
/** Seconds for the first start of both: the database is made and WordPress copied. */
const PATIENCE = 180

await script(async () => {
  const words = process.argv.slice(2)
  const unknown = words.find((word) => word !== '--down')
  if (unknown !== undefined) throw new Stop(`${unknown} is not known here: there is --down alone`)
  await ensureEngine()
  await (words.includes('--down') ? down() : up())
})

async function up() {
  for (const name of ['mysql', 'wordpress']) await show('build', '-t', name, join(project, 'examples', name))
  for (const [name, line] of Object.entries(RUN)) {
    const state = stateOf(name)
    if (state === undefined) await show(...line)
    else if (state !== 'running') await show('start', name)
    else say(`\n${name} runs already`)
  }
  const address = addressOf('some-wordpress')
  if (!(await until(PATIENCE, () => answers(address))))
    throw new Stop(`${address} does not answer; see what it said: mica logs some-wordpress`)
  say(`\nthe blog: ${address}\n\nnpm run example:wordpress -- --down removes both containers and their data`)
}

async function down() {
  const there = Object.keys(RUN).filter((name) => stateOf(name) !== undefined)
  if (there.length === 0) say('there is nothing to remove')
  else await show('rm', '--force', '--volumes', ...there.reverse())
}

/** A container's state by its name, nothing where there is none. */
function stateOf(name) {
  return ask('ps', '--all', '--format', '{{.Names}} {{.State}}', '--filter', `name=^/?${name}$`).split(' ')[1]
}

function addressOf(name) {
  const [first] = ask('port', name, '80').split('\n')
  return `http://127.0.0.1:${first.slice(first.lastIndexOf(':') + 1)}/`
}

async function answers(address) {
  if (stateOf('some-wordpress') !== 'running') throw new Stop(`WordPress ended:\n${ask('logs', 'some-wordpress')}`)
  try {
    return (await fetch(address, { signal: AbortSignal.timeout(5000) })).ok
  } catch {
    return false
  }
}
