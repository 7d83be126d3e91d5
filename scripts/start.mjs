// npm start: sets up, starts what mica needs in the background, and shows it at work on a small example.
import { join } from 'node:path'
import { consultDoctor, ensureDaemon } from './lib/daemon.mjs'
import { launcher, project } from './lib/place.mjs'
import { ensureRegistry } from './lib/registry.mjs'
import { pass, say, script, Stop } from './lib/run.mjs'
import { setUp } from './lib/setup.mjs'
import { reachesDockerHub } from './lib/upstream.mjs'

await script(async () => {
  const { bundle } = await setUp()
  consultDoctor()
  const flags = (await reachesDockerHub()) ? [] : ['--registry-mirror', await ensureRegistry()]
  const started = await ensureDaemon(bundle, flags)
  say(`the daemon ${started ? 'was started and ' : ''}accepts calls on unix:///run/mica/mica.sock`)
  await show('build', '-t', 'hello', join(project, 'examples/hello'))
  await show('run', '--rm', 'hello')
  await show('history', 'hello')
  await show('layers', 'hello')
  say(nextSteps())
})

async function show(...words) {
  say(`\n$ mica ${words.join(' ')}`)
  const status = await pass(launcher, words, { env: { ...process.env, MICA_HOST: 'unix:///run/mica/mica.sock' } })
  if (status !== 0) throw new Stop(`mica ${words[0]} ended with ${status}`)
}

function nextSteps() {
  return `
Next:
  ${launcher} run -it --rm debian bash        a shell in a container of its own
  ${launcher} build -t mine DIRECTORY         your own Dockerfile, layer by layer
  ${launcher} help                            every command
  export DOCKER_HOST=unix:///run/mica/mica.sock DOCKER_BUILDKIT=0     the stock docker client, on mica
  npm stop                                    ends the daemon, its containers and the registry`
}
