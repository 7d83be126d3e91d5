// node scripts/fresh.mjs [command…]: shows that a fresh machine is enough: a throw-away root in which `npm start` runs
// twice and then `npm test`; or the command given.
import { script, say, Stop } from './lib/run.mjs'
import { withFreshRoot } from './lib/root.mjs'

const JOURNEY = [
  ['npm', 'start'],
  ['npm', 'start'],
  ['npm', 'test'],
]

await script(async () => {
  if (process.getuid() !== 0) throw new Stop('a throw-away root takes root')
  const words = process.argv.slice(2)
  await withFreshRoot(async (run) => {
    // One command line: what npm start leaves in the background lives as long as the root's first process.
    const status = await run(words.length > 0 ? words : ['bash', '-c', JOURNEY.map(timed).join(' && ')])
    say(`the fresh root ended with ${status}`)
    if (status !== 0) throw new Stop('it was not enough')
  })
})

function timed(command) {
  const line = command.join(' ')
  return `begun=$(date +%s) && { ${line} </dev/null 2>&1 | cat; exit=\${PIPESTATUS[0]}; echo "$ ${line}: exit $exit after $(($(date +%s) - begun)) s"; [ $exit = 0 ]; }`
}
