// npm stop: ends what npm start left running. Images and containers stay on disk.
import { stopDaemon } from './lib/daemon.mjs'
import { stopRegistry } from './lib/registry.mjs'
import { say, script } from './lib/run.mjs'

await script(async () => {
  const daemon = stopDaemon({ all: true })
  const registry = await stopRegistry()
  const ended = [...(daemon ? ['the daemon and its containers'] : []), ...(registry ? ['the stand-in registry'] : [])]
  say(ended.length > 0 ? `ended ${ended.join(', ')}` : 'nothing was running')
})
