import { spawnSync } from 'node:child_process'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'
import { runProgram } from './docker.ts'

/** Runs a command of docker compose on one file; throws with what it said. */
export type Compose = (...args: readonly string[]) => Promise<string>

/** Where docker looks for its plugins, and the path, where newer Debians have it. */
const FOLDERS = [
  join(homedir(), '.docker/cli-plugins'),
  '/usr/local/lib/docker/cli-plugins',
  '/usr/local/libexec/docker/cli-plugins',
  '/usr/lib/docker/cli-plugins',
  '/usr/libexec/docker/cli-plugins',
  ...(process.env['PATH'] ?? '').split(delimiter),
]

/** A docker compose of version 2 or later, as it is on this machine; nothing where there is none. */
export function findCompose(host: string, file: string): Compose | undefined {
  const program = FOLDERS.map((folder) => join(folder, 'docker-compose')).find(isVersion2)
  if (program === undefined) return undefined
  return async (...args) => {
    const { code, stdout, stderr } = await runProgram(program, ['--file', file, ...args], {
      env: { DOCKER_HOST: host, DOCKER_BUILDKIT: '0' },
      timeout: 300_000,
    })
    if (code !== 0) throw new Error(`docker compose ${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
    return stdout
  }
}

function isVersion2(program: string): boolean {
  const { status, stdout } = spawnSync(program, ['version', '--short'], { encoding: 'utf8' })
  return status === 0 && Number(/^v?(\d+)\./.exec(stdout)?.[1]) >= 2
}
