import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  attachMount,
  descriptorPath,
  HOST_VARIABLE,
  moveMount,
  openHostMounts,
  reexecuteInMountNamespace,
} from '#kernel'

/** Plays a daemon that lives in a pinned mount namespace, for kernel.test.ts. */
const [, program = '', round = '', pin = '', base = ''] = process.argv
const inherited = process.env[HOST_VARIABLE]
if (inherited === undefined) {
  reexecuteInMountNamespace({ pin, file: process.execPath, args: [program, round, pin, base], env: process.env })
}
await using host = openHostMounts({
  entry: new URL('../../src/kernel/pool.test-worker.ts', import.meta.url),
  inherited,
})
const root = join(base, 'root')
const kept = join(root, 'kept')
const namespace = readlinkSync('/proc/self/ns/mnt')
if (round === 'first') {
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, root)
  writeFileSync(kept, 'kept')
  const sameNamespace = readlinkSync(`/proc/${process.ppid}/ns/mnt`) === namespace
  const strangers = readdirSync('/proc/self/fd').filter((fd) => leadsTo(fd).startsWith(base)).length
  process.stdout.write(JSON.stringify({ namespace, sameNamespace, strangers }))
} else {
  const later = join(base, 'later')
  const fd = await host.clone(later, { recursive: true })
  // As `-v /:/host`: were the pin to come along, the kernel would refuse the tree in the pinned namespace.
  const seen = join(base, 'seen')
  moveMount(await host.clone(dirname(dirname(pin)), { recursive: true }), seen)
  const seenOther = join(base, 'seen-other')
  moveMount(await host.clone(join(base, 'other'), { recursive: true }), seenOther)
  process.stdout.write(
    JSON.stringify({
      namespace,
      kept: readFileSync(kept, 'utf8'),
      inspected: await host.inspect(later),
      seen: readdirSync(join(seen, 'mnt')),
      seenOther: readdirSync(seenOther),
      later: readFileSync(`${descriptorPath(fd)}/file`, 'utf8'),
    }),
  )
}

function leadsTo(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}
