/**
 * The CLI as a start image of Node (docs/decisions/022): this file runs when an image is made, and its words are the
 * socket of a stand-in for the daemon and common commands (scripts/lib/start-image.mjs). It uses these once, so that the
 * image holds them loaded and compiled, and leaves `main` to be run at each start.
 */
import { dirname } from 'node:path'
import { queryObjects, setFlagsFromString, startupSnapshot } from 'node:v8'
import { runCli } from '#cli'
import { drained, main, surroundings } from './cli-main.ts'

/** Node's own functions are all there compiled. Of them and of ours the image keeps only the code that runs from here on. */
function forgetCompiled(): void {
  setFlagsFromString('--stress-flush-code')
  // Collects garbage, and with it the code.
  queryObjects(class Nothing {})
  setFlagsFromString('--no-stress-flush-code')
  setFlagsFromString('--no-flush-bytecode')
}

/** Node's own way from an image to `main`, which changes nothing when it is gone twice. It is there where it may be seen. */
function rehearseStart(): void {
  const inside: unknown = process.getBuiltinModule('internal/process/pre_execution')
  const prepare: unknown = typeof inside === 'object' && inside && Reflect.get(inside, 'prepareMainThreadExecution')
  if (typeof prepare === 'function') prepare()
}

/** Uses each command once against the stand-in. Nothing of it stays open; what they say goes to a stdout that nobody reads. */
async function rehearse([socket = '', ...commands]: readonly string[]): Promise<void> {
  const env = { MICA_HOST: `unix://${socket}`, HOME: dirname(socket) }
  for (const command of commands) {
    // Not this process's own folder: Node would remember in the image that it was asked for it.
    const own = { ...surroundings(), env, cwd: '/' }
    const exit = await drained(own.io, await runCli({ ...own, words: command.split(' ') }))
    if (exit !== 0) throw new Error(`mica ${command} ended with ${exit} when it was tried for the start image`)
  }
}

startupSnapshot.setDeserializeMainFunction(main)
forgetCompiled()
rehearseStart()
rehearse(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`)
  process.exit(1)
})
