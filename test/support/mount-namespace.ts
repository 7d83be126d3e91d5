import { spawnSync } from 'node:child_process'

const INSIDE = 'MICA_TEST_NAMESPACE'

/**
 * Called first in an integration test: continues in a mount namespace of its own, so that what it mounts can never
 * stay on the host, and what others mount meanwhile is not taken for its own. `network`: in an empty network namespace of its own too. Needs root.
 */
export function ownMountNamespace(options: { readonly network?: boolean } = {}): void {
  if (process.geteuid?.() !== 0) throw new Error('this test mounts and makes namespaces: run it as root')
  if (process.env[INSIDE] === String(process.ppid)) return
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const network = options.network ? ['--net'] : []
  const done = spawnSync('unshare', [...network, '--mount', '--propagation', 'private', '--', ...again], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: String(process.pid) },
  })
  if (done.error) throw done.error
  process.exit(done.status ?? 1)
}
