import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULT_CAPABILITIES } from './capability.ts'
import { INIT_TARGET, specOf } from './spec.ts'
import type { HostFacts } from './spec.ts'
import type { RunRequest } from './types.ts'

const facts: HostFacts = {
  cgroups: 'hybrid',
  machine: 'x64',
  devices: [{ path: '/dev/kmsg', type: 'c', major: 1, minor: 11, mode: 0o644, uid: 0, gid: 0 }],
}

const request: RunRequest = {
  id: 'a'.repeat(64),
  rootfs: '/root',
  process: {
    args: ['true'],
    env: ['A=b'],
    cwd: '/',
    user: { uid: 0, gid: 0, additionalGids: [0] },
    terminal: false,
    capabilities: DEFAULT_CAPABILITIES,
  },
  hostname: 'host',
  mounts: [],
  network: { kind: 'path', path: '/run/netns/x' },
  privileged: false,
  readonlyRoot: false,
  seccomp: 'default',
  cgroupPath: '/mica/a',
}

/** The spec as other programs read it. */
function spec(more: Partial<RunRequest> = {}, host: Partial<HostFacts> = {}) {
  return JSON.parse(JSON.stringify(specOf({ ...request, ...more }, { ...facts, ...host })))
}

test('specOf() gives the default mounts of Docker in its order', () => {
  const { mounts } = spec()
  assert.deepEqual(
    mounts.map((mount: { destination: string }) => mount.destination),
    ['/proc', '/dev', '/dev/pts', '/sys', '/sys/fs/cgroup', '/dev/mqueue', '/dev/shm'],
  )
  assert.ok(mounts[3].options.includes('ro'))
  assert.ok(mounts[6].options.includes('size=67108864'))
})

test('specOf() lets a mount that was asked for take the place of a standard one', () => {
  const shm = { type: 'bind', source: '/x', target: '/dev/shm', options: ['rbind'] }
  const { mounts } = spec({ mounts: [shm] })
  assert.deepEqual(
    mounts
      .filter((mount: { destination: string }) => mount.destination === '/dev/shm')
      .map((mount: { source: string }) => mount.source),
    ['/x'],
  )
})

test('specOf() never gives inheritable or ambient capabilities, and a user but root only the bounding set', () => {
  assert.deepEqual(spec().process.capabilities, {
    bounding: DEFAULT_CAPABILITIES,
    effective: DEFAULT_CAPABILITIES,
    permitted: DEFAULT_CAPABILITIES,
    inheritable: [],
    ambient: [],
  })
  const user = { uid: 5, gid: 5, additionalGids: [5] }
  const { capabilities } = spec({ process: { ...request.process, user } }).process
  assert.deepEqual([capabilities.effective, capabilities.permitted], [[], []])
})

test('specOf() masks, denies devices and filters calls, but not for a privileged container', () => {
  const { linux } = spec()
  assert.ok(linux.maskedPaths.includes('/proc/kcore') && linux.readonlyPaths.includes('/proc/sys'))
  assert.deepEqual(linux.resources.devices[0], { allow: false, access: 'rwm' })
  assert.equal(linux.seccomp.defaultAction, 'SCMP_ACT_ERRNO')
  const open = spec({ privileged: true, seccomp: 'unconfined' })
  assert.deepEqual([open.linux.maskedPaths, open.linux.readonlyPaths, open.linux.seccomp], [[], [], undefined])
  assert.deepEqual(open.linux.resources.devices, [{ allow: true, access: 'rwm' }])
  assert.equal(open.linux.devices[0].path, '/dev/kmsg')
  assert.ok(open.mounts.find((mount: { destination: string }) => mount.destination === '/sys').options.includes('rw'))
})

test('specOf() joins a network by its path, with low ports and ping for all; the host has none of that', () => {
  const { linux } = spec()
  assert.deepEqual(linux.namespaces.at(-1), { type: 'network', path: '/run/netns/x' })
  assert.deepEqual(linux.sysctl, {
    'net.ipv4.ip_unprivileged_port_start': '0',
    'net.ipv4.ping_group_range': '0 2147483647',
  })
  const host = spec({ network: { kind: 'host' } })
  assert.equal(
    host.linux.namespaces.some((one: { type: string }) => one.type === 'network'),
    false,
  )
  assert.deepEqual(host.linux.sysctl, {})
})

test('specOf() takes a cgroup namespace where there is only the v2 tree', () => {
  const has = (cgroups: HostFacts['cgroups']): boolean =>
    spec({}, { cgroups }).linux.namespaces.some((one: { type: string }) => one.type === 'cgroup')
  assert.deepEqual([has('v1'), has('hybrid'), has('v2')], [false, false, true])
})

test('specOf() puts the init before the command, bound in read-only', () => {
  const { process, mounts } = spec({ init: true }, { initProgram: '/usr/bin/tini-static' })
  assert.deepEqual(process.args, [INIT_TARGET, '--', 'true'])
  assert.deepEqual(mounts.at(-1), {
    destination: INIT_TARGET,
    type: 'bind',
    source: '/usr/bin/tini-static',
    options: ['bind', 'ro', 'rprivate'],
  })
})

test('specOf() raises no limits', () => assert.equal('rlimits' in spec().process, false))
