import { readFile, readdir, statfs } from 'node:fs/promises'
import { release } from 'node:os'
import { dirname } from 'node:path'
import { ifExists } from '#base'
import { capabilities, cgroupMode } from '#kernel'
import type { Finding } from './types.ts'

/** Below this the next pull or build is likely to fail. Bytes. */
const SCARCE_DISK = 2 * 1024 ** 3

/** What containers need and root normally has. */
const NEEDED_CAPABILITIES = [
  'CAP_SYS_ADMIN',
  'CAP_NET_ADMIN',
  'CAP_SYS_CHROOT',
  'CAP_MKNOD',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETFCAP',
  'CAP_KILL',
] as const

/** Nice to have: what is lost without each. */
const OPTIONAL_CAPABILITIES: Readonly<Record<string, string>> = {
  CAP_SYS_RESOURCE: 'limits above the hard ones and negative oom scores cannot be set',
  CAP_SYS_PTRACE: 'some views of other processes are closed',
}

/** The findings that need nothing but this machine; each failing one says its cure. */
export async function checkHost(dataRoot: string, path: string): Promise<readonly Finding[]> {
  return [
    checkUser(),
    checkKernel(),
    await checkOverlay(),
    checkCgroups(),
    await checkNamespaces(),
    ...checkCapabilities(),
    await checkCompressor(path),
    await checkDisk(dataRoot),
  ]
}

function checkUser(): Finding {
  const root = process.geteuid?.() === 0
  return root
    ? { name: 'user', ok: true, essential: true, text: 'root' }
    : {
        name: 'user',
        ok: false,
        essential: true,
        text: 'not root: mica cannot run without root yet',
        cure: 'start it as root, or with sudo',
      }
}

function checkKernel(): Finding {
  const version = release()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const ok = major > 5 || (major === 5 && minor >= 6)
  const finding = { name: 'kernel', ok, essential: true, text: `Linux ${version}` }
  return ok ? finding : { ...finding, cure: 'Linux 5.6 or newer is needed (openat2 and the new mount calls)' }
}

async function checkOverlay(): Promise<Finding> {
  const known = (await readFile('/proc/filesystems', 'utf8')).split('\n').some((line) => line.endsWith('\toverlay'))
  return known
    ? { name: 'overlayfs', ok: true, essential: true, text: 'the kernel has it' }
    : {
        name: 'overlayfs',
        ok: false,
        essential: true,
        text: 'the kernel does not offer overlay',
        cure: 'modprobe overlay',
      }
}

function checkCgroups(): Finding {
  const mode = cgroupMode()
  const text =
    mode === 'hybrid' ? 'hybrid: version 1 controllers with a version 2 tree beside them' : `version ${mode.slice(1)}`
  return { name: 'cgroups', ok: true, essential: true, text }
}

async function checkNamespaces(): Promise<Finding> {
  const there = new Set(await readdir('/proc/self/ns'))
  const missing = ['mnt', 'pid', 'net', 'ipc', 'uts'].filter((name) => !there.has(name))
  return missing.length === 0
    ? { name: 'namespaces', ok: true, essential: true, text: 'mount, pid, network, ipc, uts' }
    : {
        name: 'namespaces',
        ok: false,
        essential: true,
        text: `missing: ${missing.join(', ')}`,
        cure: 'a kernel built with these namespaces is needed',
      }
}

function checkCapabilities(): readonly Finding[] {
  const held = capabilities()
  const missing = NEEDED_CAPABILITIES.filter((name) => !held.has(name))
  const needed: Finding =
    missing.length === 0
      ? { name: 'capabilities', ok: true, essential: true, text: 'all that are needed' }
      : {
          name: 'capabilities',
          ok: false,
          essential: true,
          text: `missing: ${missing.join(', ')}`,
          cure: 'run mica with these capabilities (a privileged container, or the host itself)',
        }
  const lost = Object.entries(OPTIONAL_CAPABILITIES).filter(([name]) => !held.has(name))
  return [
    needed,
    ...lost.map(([name, text]): Finding => ({
      name: 'capabilities',
      ok: false,
      essential: false,
      text: `without ${name} ${text}`,
      cure: `give mica ${name} where that matters`,
    })),
  ]
}

async function checkCompressor(path: string): Promise<Finding> {
  for (const folder of path.split(':')) {
    const found = await ifExists(readFile(`${folder}/igzip`).then(() => `${folder}/igzip`))
    if (found !== undefined) return { name: 'compressor', ok: true, essential: false, text: found }
  }
  return {
    name: 'compressor',
    ok: false,
    essential: false,
    text: 'igzip is not there: gzip is done by Node, about four times slower',
    cure: 'apt-get install isal',
  }
}

async function checkDisk(dataRoot: string): Promise<Finding> {
  const place = await nearestFolder(dataRoot)
  const facts = await statfs(place)
  const free = facts.bavail * facts.bsize
  const text = `${(free / 1e9).toFixed(1)} GB free at ${dataRoot}`
  return free >= SCARCE_DISK
    ? { name: 'disk', ok: true, essential: false, text }
    : { name: 'disk', ok: false, essential: false, text, cure: 'mica system prune, or another --data-root' }
}

async function nearestFolder(path: string): Promise<string> {
  const there = await ifExists(statfs(path))
  return there !== undefined || path === '/' ? path : await nearestFolder(dirname(path))
}
