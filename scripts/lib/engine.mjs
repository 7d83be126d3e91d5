// The engine that npm start and the examples use: set up, checked, running in the background.
import { consultDoctor, ensureDaemon } from './daemon.mjs'
import { launcher } from './place.mjs'
import { ensureRegistry } from './registry.mjs'
import { capture, pass, say, Stop } from './run.mjs'
import { setUp } from './setup.mjs'
import { reachesDockerHub } from './upstream.mjs'

const ADDRESS = 'unix:///run/mica/mica.sock'
const env = () => ({ ...process.env, MICA_HOST: ADDRESS })

/** Sets up what is missing and starts the daemon where the right one does not run. */
export async function ensureEngine() {
  const { bundle } = await setUp()
  consultDoctor()
  const flags = (await reachesDockerHub()) ? [] : ['--registry-mirror', await ensureRegistry()]
  const started = await ensureDaemon(bundle, flags)
  say(`the daemon ${started ? 'was started and ' : ''}accepts calls on ${ADDRESS}`)
}

/** Prints a line of mica's and runs it on the reader's terminal. */
export async function show(...words) {
  say(`\n$ mica ${words.join(' ')}`)
  const status = await pass(launcher, words, { env: env() })
  if (status !== 0) throw new Stop(`mica ${words[0]} ended with ${status}`)
}

/** What a line of mica's writes. */
export function ask(...words) {
  return capture(launcher, words, { env: env() }).trim()
}
