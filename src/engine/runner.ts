import { mkdirSync } from 'node:fs'
import { rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandSpec, Runner } from '#builder'
import { attachMounts, mountTable, unmount } from '#kernel'
import type { Mount } from '#kernel'
import { plainAttach } from '#network'
import type { Networks, Sandbox } from '#network'
import { DEFAULT_CAPABILITIES, resolveUser, withMountPoints, writeNameFiles } from '#runtime'
import type { RunRequest, Runtime } from '#runtime'

export interface RunnerParts {
  readonly runtime: Runtime
  readonly networks: Networks
  /** Roots and name files of steps go to `<execRoot>/step/<id>`. */
  readonly execRoot: string
  /** The folder of `makeMountPoints`. */
  readonly mountPoints: string
  /** What the daemon itself has. */
  readonly capabilities: ReadonlySet<string>
}

/** Carries out the RUN instructions of builds, each in a container of its own without a monitor. */
export function createRunner(parts: RunnerParts): Runner {
  return {
    async run(command, root, output, signal) {
      await using place = await openPlace(parts, command, root)
      return await parts.runtime.runStep(requestOf(parts, command, place), output, signal)
    },
  }
}

/** Where one step runs: its mounted root, its name files, its network. */
interface StepPlace extends AsyncDisposable {
  readonly rootfs: string
  readonly names: readonly Mount[]
  readonly sandbox: Sandbox
}

function stepsFolder(execRoot: string): string {
  return join(execRoot, 'step')
}

async function openPlace(parts: RunnerParts, command: CommandSpec, root: readonly Mount[]): Promise<StepPlace> {
  const folder = join(stepsFolder(parts.execRoot), command.id.slice(0, 12))
  const rootfs = join(folder, 'root')
  await using undo = new AsyncDisposableStack()
  mkdirSync(rootfs, { recursive: true, mode: 0o700 })
  undo.defer(() => rmdir(folder))
  // Not recursive: what is still mounted by mistake is never emptied.
  undo.defer(() => rmdir(rootfs))
  undo.defer(() => unmount(rootfs, { ifMounted: true }))
  undo.defer(() => rm(join(folder, 'names'), { recursive: true, force: true }))
  attachMounts(withMountPoints(root, parts.mountPoints), rootfs)
  undo.defer(() => parts.networks.detach(command.id))
  const mode = command.network === 'default' ? 'bridge' : command.network
  const sandbox = await parts.networks.attach(plainAttach(command.id, mode))
  const addresses = sandbox.endpoints.flatMap((endpoint) => (endpoint.address === undefined ? [] : [endpoint.address]))
  const names = writeNameFiles(join(folder, 'names'), {
    hostname: hostnameOf(command),
    addresses,
    hostNetwork: command.network === 'host',
  })
  const kept = undo.move()
  return { rootfs, names, sandbox, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

function requestOf(parts: RunnerParts, command: CommandSpec, place: StepPlace): RunRequest {
  const { path } = place.sandbox
  return {
    id: command.id,
    rootfs: place.rootfs,
    process: {
      args: command.args,
      env: command.env,
      cwd: command.cwd,
      user: resolveUser(place.rootfs, command.user),
      terminal: false,
      capabilities: DEFAULT_CAPABILITIES.filter((name) => parts.capabilities.has(name)),
    },
    hostname: hostnameOf(command),
    mounts: [...place.names, ...(command.mounts ?? [])],
    network: path === undefined ? { kind: 'host' } : { kind: 'path', path },
    privileged: false,
    readonlyRoot: false,
    seccomp: 'default',
    cgroupPath: parts.runtime.cgroupOf(command.id),
  }
}

function hostnameOf(command: CommandSpec): string {
  return command.id.slice(0, 12)
}

/** Unmounts the roots that a killed daemon left of its steps; their processes must be gone. */
export async function removeLeftoverRoots(execRoot: string): Promise<void> {
  const folder = stepsFolder(execRoot)
  for (const entry of mountTable()
    .filter((mount) => mount.target.startsWith(`${folder}/`))
    .toReversed())
    await unmount(entry.target, { detach: true, ifMounted: true })
  await rm(folder, { recursive: true, force: true })
}
