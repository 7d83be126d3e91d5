// npm start: sets up, starts what mica needs in the background, and shows it at work on a small example.
import { join } from 'node:path'
import { ensureEngine, show } from './lib/engine.mjs'
import { launcher, project } from './lib/place.mjs'
import { say, script } from './lib/run.mjs'

await script(async () => {
  await ensureEngine()
  await show('build', '-t', 'hello', join(project, 'examples/hello'))
  await show('run', '--rm', 'hello')
  await show('history', 'hello')
  await show('layers', 'hello')
  say(nextSteps())
})

function nextSteps() {
  return `
Next:
  ${launcher} run -it --rm debian bash        a shell in a container of its own
  ${launcher} build -t mine DIRECTORY         your own Dockerfile, layer by layer
  ${launcher} help                            every command
  npm run example:wordpress     a blog: MySQL and WordPress, built and linked
  export DOCKER_HOST=unix:///run/mica/mica.sock DOCKER_BUILDKIT=0     the stock docker client, on mica
  npm stop                                    ends the daemon, its containers and the registry`
}
