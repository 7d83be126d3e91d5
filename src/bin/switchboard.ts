import { closeSync, openSync, writeSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { join } from 'node:path'
import { messageOf } from '#base'
import { serveSwitchboard } from '#switchboard'

/** `switchboard SOCKET CODE`: started by the daemon, which waits for one line. */
async function main(): Promise<void> {
  const [socket = '', code = ''] = process.argv.slice(2)
  // The daemon's terminal is not ours: nothing but the daemon ends this process.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined)
  process.on('uncaughtException', complain)
  const { ready, ended } = serveSwitchboard({ socket, code, complain })
  await ready
  writeSync(1, 'ready\n')
  closeSync(1)
  // The number would be another file's, which every pipe() of a stream would take for the standard output.
  openSync('/dev/null', 'w')
  await ended
  process.exit(0)
}

function complain(what: unknown): void {
  process.stderr.write(`${new Date().toISOString()} ${typeof what === 'string' ? what : messageOf(what)}\n`)
}

if (import.meta.url.endsWith('.js')) enableCompileCache(join(import.meta.dirname, '.compiled'))
main().catch((error: unknown) => {
  complain(error)
  process.exit(1)
})
