import { join } from 'node:path'
import { runProgram } from './docker.ts'
import type { Docker } from './docker.ts'

const ENTRY = join(import.meta.dirname, '..', '..', 'src', 'bin', 'cli.ts')

/** mica's own CLI out of the sources, with the face of `dockerClient`: a test can run the same lines with both. */
export function micaClient(host: string): Docker {
  const run: Docker['run'] = (args, options = {}) =>
    runProgram(process.execPath, ['--', ENTRY, '-H', host, ...args], {
      ...options,
      env: { NODE_NO_WARNINGS: '1', ...options.env },
    })
  return {
    run,
    async ok(...args) {
      const { code, stdout, stderr } = await run(args)
      if (code !== 0) throw new Error(`mica ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
      return stdout.replace(/\n$/, '')
    },
    [Symbol.dispose]: () => undefined,
  }
}
