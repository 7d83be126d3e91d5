import assert from 'node:assert/strict'
import { test } from 'node:test'
import { capabilitiesOf, CAPABILITIES, DEFAULT_CAPABILITIES } from './capability.ts'
import { defaultSeccomp } from './seccomp.ts'

const allowed = (capabilities: readonly string[]): ReadonlySet<string> =>
  new Set(
    defaultSeccomp(capabilities, 'x64')
      .syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && !rule.args)
      .flatMap((rule) => rule.names),
  )

test('defaultSeccomp() leaves out what reaches the kernel itself', () => {
  const calls = allowed(DEFAULT_CAPABILITIES)
  const refused =
    'add_key keyctl request_key kexec_load mount umount2 unshare setns clone clone3 bpf perf_event_open init_module userfaultfd io_uring_setup open_by_handle_at reboot swapon socket personality ioperm'
  for (const name of refused.split(' ')) assert.equal(calls.has(name), false, name)
  for (const name of ['read', 'openat2', 'chroot', 'ptrace', 'arch_prctl', 'execveat'])
    assert.equal(calls.has(name), true, name)
})

test('defaultSeccomp() gives the calls of a capability with it', () => {
  const calls = allowed(['CAP_SYS_ADMIN', 'CAP_SYS_TIME'])
  for (const name of ['mount', 'unshare', 'clone3', 'settimeofday']) assert.equal(calls.has(name), true, name)
  assert.equal(calls.has('chroot'), false)
})

test('defaultSeccomp() names no call twice without conditions, and no namespace can be cloned', () => {
  const rules = defaultSeccomp(DEFAULT_CAPABILITIES, 'arm64').syscalls
  const names = rules.filter((rule) => !rule.args).flatMap((rule) => rule.names)
  assert.equal(new Set(names).size, names.length)
  const clone = rules.find((rule) => rule.names.includes('clone'))
  assert.deepEqual(clone?.args, [{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }])
  assert.deepEqual(
    rules.find((rule) => rule.names.includes('clone3')),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: 38 },
  )
})

test('defaultSeccomp() refuses the families AF_ALG and AF_VSOCK, and no other', () => {
  const rules = defaultSeccomp(DEFAULT_CAPABILITIES, 'x64').syscalls.filter((rule) => rule.names.includes('socket'))
  const passes = (family: number): boolean =>
    rules.some(({ args = [] }) =>
      args.every(({ op, value }) =>
        op === 'SCMP_CMP_LT' ? family < value : op === 'SCMP_CMP_GT' ? family > value : family === value,
      ),
    )
  const refused = Array.from({ length: 64 }, (_, family) => family).filter((family) => !passes(family))
  assert.deepEqual(refused, [38, 40])
})

const available = new Set(CAPABILITIES.filter((name) => name !== 'CAP_SYS_RESOURCE'))
const short = (names: readonly string[]): readonly string[] => names.map((name) => name.slice(4))

for (const [what, add, drop, expected] of [
  ['ALL dropped and one added', ['net_admin'], ['ALL'], ['NET_ADMIN']],
  ['ALL dropped', [], ['all'], []],
  [
    'one dropped, with its prefix',
    [],
    ['CAP_CHOWN'],
    short(CAPABILITIES.filter((name) => DEFAULT_CAPABILITIES.includes(name) && name !== 'CAP_CHOWN')),
  ],
  [
    'ALL added but one',
    ['ALL'],
    ['SYS_ADMIN'],
    short(CAPABILITIES.filter((name) => available.has(name) && name !== 'CAP_SYS_ADMIN')),
  ],
] as const)
  test(`capabilitiesOf() with ${what}`, () =>
    assert.deepEqual(short(capabilitiesOf({ privileged: false, add, drop }, available)), expected))

test('capabilitiesOf() gives a privileged container all that the daemon has', () =>
  assert.deepEqual(capabilitiesOf({ privileged: true, add: [], drop: ['ALL'] }, available), [...available]))

test('capabilitiesOf() refuses a name that is none', () =>
  assert.throws(() => capabilitiesOf({ privileged: false, add: ['FLY'], drop: [] }, available), {
    kind: 'invalid',
    message: 'invalid CapAdd: unknown capability: "CAP_FLY"',
  }))
