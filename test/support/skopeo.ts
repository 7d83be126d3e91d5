import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { runProgram } from './docker.ts'

/** Runs skopeo to its end, its settings and temporary files below `folder`; throws with what it said. */
export type Skopeo = (...args: readonly string[]) => Promise<string>

/** skopeo without the machine's settings, and for registries of the loopback without TLS. */
export function skopeoClient(folder: string): Skopeo {
  const home = join(folder, 'skopeo')
  mkdirSync(home, { recursive: true })
  const policy = join(home, 'policy.json')
  writeFileSync(policy, '{"default":[{"type":"insecureAcceptAnything"}]}')
  const env = { XDG_RUNTIME_DIR: home, TMPDIR: home }
  return async (...args) => {
    const { code, stdout, stderr } = await runProgram('skopeo', ['--policy', policy, '--tmpdir', home, ...args], {
      env,
    })
    if (code !== 0) throw new Error(`skopeo ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
    return stdout
  }
}
