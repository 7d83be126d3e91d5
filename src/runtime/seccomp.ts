import { ALLOWED_CALLS, ARCHITECTURES, CALLS_OF_CAPABILITY, CALLS_OF_MACHINE, TRACING_CALLS } from './seccomp-calls.ts'
import type { Machine } from './seccomp-calls.ts'

interface Argument {
  readonly index: number
  readonly value: number
  readonly valueTwo?: number
  readonly op: 'SCMP_CMP_EQ' | 'SCMP_CMP_LT' | 'SCMP_CMP_GT' | 'SCMP_CMP_MASKED_EQ'
}

interface SeccompRule {
  readonly names: readonly string[]
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO'
  readonly errnoRet?: number
  readonly args?: readonly Argument[]
}

/** runtime-spec, config-linux.md «Seccomp». */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ERRNO'
  readonly defaultErrnoRet: number
  readonly architectures: readonly string[]
  readonly syscalls: readonly SeccompRule[]
}

const EPERM = 1
const ENOSYS = 38
const AF_ALG = 38
const AF_VSOCK = 40
/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const CLONE_NAMESPACES = 0x7e020000
/** personality(2): PER_LINUX, PER_LINUX32, UNAME26 with either, and «tell me». */
const PERSONALITIES = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff]

/** Docker's default rules for a container with these capabilities: what is not named fails with EPERM. */
export function defaultSeccomp(capabilities: readonly string[], machine: Machine): SeccompProfile {
  const given = new Set(capabilities)
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: EPERM,
    architectures: ARCHITECTURES[machine],
    syscalls: [
      allow([...new Set([...ALLOWED_CALLS, ...TRACING_CALLS, ...CALLS_OF_MACHINE[machine], ...callsOf(given)])]),
      ...socketRules(),
      ...PERSONALITIES.map((value) => allow(['personality'], [{ index: 0, value, op: 'SCMP_CMP_EQ' }])),
      ...(given.has('CAP_SYS_ADMIN') ? [] : namespaceRules()),
    ],
  }
}

function callsOf(given: ReadonlySet<string>): readonly string[] {
  return Object.entries(CALLS_OF_CAPABILITY).flatMap(([name, calls]) => (given.has(name) ? calls : []))
}

/** Any family but AF_VSOCK, which reaches the hypervisor, and AF_ALG, the kernel's own cipher code. */
function socketRules(): readonly SeccompRule[] {
  return [
    allow(['socket'], [{ index: 0, value: AF_ALG, op: 'SCMP_CMP_LT' }]),
    allow(['socket'], [{ index: 0, value: AF_ALG + 1, op: 'SCMP_CMP_EQ' }]),
    allow(['socket'], [{ index: 0, value: AF_VSOCK, op: 'SCMP_CMP_GT' }]),
  ]
}

/** Threads and processes, but no new namespaces; clone3 hides its flags in memory, ENOSYS makes libc use clone. */
function namespaceRules(): readonly SeccompRule[] {
  return [
    allow(['clone'], [{ index: 0, value: CLONE_NAMESPACES, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]),
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
  ]
}

function allow(names: readonly string[], args?: readonly Argument[]): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args && { args }) }
}
