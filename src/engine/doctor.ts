import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, silentLog, systemClock } from '#base'
import { openHostMounts } from '#kernel'
import { openNetworks } from '#network'
import type { Networks } from '#network'
import { openRuntime } from '#runtime'
import { openDatabase } from '#store/db'
import { checkHost } from './host-checks.ts'
import { releaseOwnNamespace } from '#engine/namespace'
import type { EngineConfig, Finding } from './types.ts'

/** `diagnose` inside a mount namespace that was made for it alone, which goes with its exec root. */
export async function diagnoseApart(config: EngineConfig): Promise<readonly Finding[]> {
  try {
    return await diagnose(config)
  } finally {
    await using hostMounts = openHostMounts({ entry: config.workerEntry, inherited: config.hostMounts })
    await releaseOwnNamespace(config.execRoot, hostMounts)
    await rm(config.execRoot, { recursive: true, force: true })
  }
}

/** Looks at the machine without a daemon: in a mount namespace of its own the same runtime is found that a daemon would. */
export async function diagnose(config: EngineConfig): Promise<readonly Finding[]> {
  const host = await checkHost(config.dataRoot, config.path)
  if (host.some((finding) => finding.name === 'user' && !finding.ok)) return host
  return [...host, await checkRuntime(config), ...(await checkNetwork(config))]
}

async function checkRuntime(config: EngineConfig): Promise<Finding> {
  try {
    using runtime = await openRuntime({
      execRoot: config.execRoot,
      path: config.path,
      ownMountNamespace: config.hostMounts !== undefined,
      log: silentLog(),
    })
    return runtimeFinding(runtime.program)
  } catch (error) {
    return {
      name: 'runtime',
      ok: false,
      essential: true,
      text: messageOf(error),
      cure: 'apt-get install crun runc conmon',
    }
  }
}

/** Which runtime was chosen, and why. */
export function runtimeFinding(program: {
  readonly name: string
  readonly version: string
  readonly reason: string
}): Finding {
  return { name: 'runtime', ok: true, essential: true, text: `${program.name} ${program.version}: ${program.reason}` }
}

async function checkNetwork(config: EngineConfig): Promise<readonly Finding[]> {
  const folder = await mkdtemp(join(config.execRoot, 'doctor-'))
  try {
    await using db = await openDatabase(join(folder, 'doctor.db'))
    using networks = openNetworks({ db, execRoot: folder, clock: systemClock(), log: silentLog() })
    return await networkFindings(networks)
  } catch (error) {
    return [{ name: 'network', ok: false, essential: false, text: messageOf(error), cure: 'apt-get install nftables' }]
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Containers run without a way out of their bridge too: none of these is essential. */
export async function networkFindings(networks: Networks): Promise<readonly Finding[]> {
  return (await networks.diagnose()).map((finding) => ({ ...finding, essential: false }))
}
