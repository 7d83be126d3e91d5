import { invalid } from '#base'
import { badArgument, flag, type FlagValues } from '#cli/kit'
import { parseBytes, parseSwap, parseUlimit } from './values.ts'

/** Flags of run and create about what a container may use; those of memory and processors are build's too. */
export const limitFlags = {
  'blkio-weight': flag.number('Block IO (relative weight), between 10 and 1000, or 0 to disable', { value: 'uint16' }),
  'blkio-weight-device': flag.list('Block IO weight (relative device weight)'),
  'cgroup-parent': flag.text('Optional parent cgroup for the container'),
  'cpu-period': flag.number('Limit CPU CFS (Completely Fair Scheduler) period'),
  'cpu-quota': flag.number('Limit CPU CFS (Completely Fair Scheduler) quota'),
  'cpu-rt-period': flag.number('Limit CPU real-time period in microseconds'),
  'cpu-rt-runtime': flag.number('Limit CPU real-time runtime in microseconds'),
  'cpu-shares': flag.number('CPU shares (relative weight)', { short: 'c' }),
  cpus: flag.text('Number of CPUs', { value: 'decimal' }),
  'cpuset-cpus': flag.text('CPUs in which to allow execution (0-3, 0,1)'),
  'cpuset-mems': flag.text('MEMs in which to allow execution (0-3, 0,1)'),
  'device-read-bps': flag.list('Limit read rate (bytes per second) from a device'),
  'device-read-iops': flag.list('Limit read rate (IO per second) from a device'),
  'device-write-bps': flag.list('Limit write rate (bytes per second) to a device'),
  'device-write-iops': flag.list('Limit write rate (IO per second) to a device'),
  'kernel-memory': flag.text('Kernel memory limit', { value: 'bytes' }),
  memory: flag.text('Memory limit', { short: 'm', value: 'bytes' }),
  'memory-reservation': flag.text('Memory soft limit', { value: 'bytes' }),
  'memory-swap': flag.text("Swap limit equal to memory plus swap: '-1' to enable unlimited swap", { value: 'bytes' }),
  'memory-swappiness': flag.number('Tune container memory swappiness (0 to 100)', { initial: '-1' }),
  'oom-kill-disable': flag.switch('Disable OOM Killer'),
  'oom-score-adj': flag.number("Tune host's OOM preferences (-1000 to 1000)"),
  'pids-limit': flag.number('Tune container pids limit (set -1 for unlimited)'),
  'shm-size': flag.text('Size of /dev/shm', { value: 'bytes' }),
  ulimit: flag.list('Ulimit options', { value: 'ulimit' }),
}

type LimitFlags = FlagValues<typeof limitFlags>

/** Members of HostConfig; what is not said is left out. */
export function limits(flags: LimitFlags): Readonly<Record<string, unknown>> {
  const swappiness = flags['memory-swappiness'] ?? -1
  if (swappiness !== -1 && (swappiness < 0 || swappiness > 100))
    throw invalid(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`)
  return {
    ...numbers(flags),
    ...sizes(flags),
    BlkioWeightDevice: flags['blkio-weight-device'].map(weight),
    BlkioDeviceReadBps: flags['device-read-bps'].map((text) => rate('--device-read-bps', text)),
    BlkioDeviceWriteBps: flags['device-write-bps'].map((text) => rate('--device-write-bps', text)),
    BlkioDeviceReadIOps: flags['device-read-iops'].map((text) => count('--device-read-iops', text)),
    BlkioDeviceWriteIOps: flags['device-write-iops'].map((text) => count('--device-write-iops', text)),
    ...(flags['oom-kill-disable'] && { OomKillDisable: true }),
    Ulimits: flags.ulimit.map(parseUlimit),
  }
}

function numbers(flags: LimitFlags): Readonly<Record<string, unknown>> {
  const weightOfIo = flags['blkio-weight']
  if (weightOfIo !== undefined && (weightOfIo < 0 || weightOfIo > 0xffff))
    throw badArgument(
      String(weightOfIo),
      '--blkio-weight',
      `strconv.ParseUint: parsing "${weightOfIo}": ${weightOfIo < 0 ? 'invalid syntax' : 'value out of range'}`,
    )
  const { cpus } = flags
  const said = MEMBERS.filter(([name]) => flags[name] !== undefined).map(
    ([name, member]) => [member, flags[name]] as const,
  )
  return { ...Object.fromEntries(said), ...(cpus !== undefined && { NanoCpus: nanoCpus(cpus) }) }
}

/** Flags that go to the API as they are. */
const MEMBERS = [
  ['blkio-weight', 'BlkioWeight'],
  ['cgroup-parent', 'CgroupParent'],
  ['cpu-period', 'CpuPeriod'],
  ['cpu-quota', 'CpuQuota'],
  ['cpu-rt-period', 'CpuRealtimePeriod'],
  ['cpu-rt-runtime', 'CpuRealtimeRuntime'],
  ['cpu-shares', 'CpuShares'],
  ['cpuset-cpus', 'CpusetCpus'],
  ['cpuset-mems', 'CpusetMems'],
  ['memory-swappiness', 'MemorySwappiness'],
  ['oom-score-adj', 'OomScoreAdj'],
  ['pids-limit', 'PidsLimit'],
] as const

function sizes(flags: LimitFlags): Readonly<Record<string, unknown>> {
  const { memory, 'kernel-memory': kernel, 'memory-reservation': soft, 'memory-swap': swap, 'shm-size': shm } = flags
  return {
    ...(memory !== undefined && { Memory: parseBytes('-m, --memory', memory) }),
    ...(kernel !== undefined && { KernelMemory: parseBytes('--kernel-memory', kernel) }),
    ...(soft !== undefined && { MemoryReservation: parseBytes('--memory-reservation', soft) }),
    ...(swap !== undefined && { MemorySwap: parseSwap('--memory-swap', swap) }),
    ...(shm !== undefined && { ShmSize: parseBytes('--shm-size', shm) }),
  }
}

function nanoCpus(text: string): number {
  const value = Number(text)
  if (!/^[-+]?(\d+\.?\d*|\.\d+)$/.test(text))
    throw badArgument(text, '--cpus', `failed to parse ${text} as a rational number`)
  if ((text.split('.')[1] ?? '').replace(/0+$/, '').length > 9)
    throw badArgument(text, '--cpus', 'value is too precise')
  return Math.round(value * 1e9)
}

/** «/dev/sda:…»: the device, and what is said of it. */
function ofDevice(name: string, text: string): readonly [path: string, value: string] {
  const [, path, value] = /^([^:]+):(.*)$/s.exec(text) ?? []
  if (path === undefined || value === undefined) throw badArgument(text, name, `bad format: ${text}`)
  if (!path.startsWith('/dev/')) throw badArgument(text, name, `bad format for device path: ${text}`)
  return [path, value]
}

function weight(text: string): Readonly<Record<string, unknown>> {
  const [path, value] = ofDevice('--blkio-weight-device', text)
  const number = Number(value)
  if (!/^\d+$/.test(value) || (number !== 0 && (number < 10 || number > 1000)))
    throw badArgument(text, '--blkio-weight-device', `invalid weight for device: ${text}`)
  return { Path: path, Weight: number }
}

const UNITS =
  'The correct format is <device-path>:<number>[<unit>]. Number must be a positive integer. Unit is optional'

function rate(name: string, text: string): Readonly<Record<string, unknown>> {
  const [path, value] = ofDevice(name, text)
  try {
    return { Path: path, Rate: parseBytes(name, value) }
  } catch (error) {
    const refused = badArgument(text, name, `invalid rate for device: ${text}. ${UNITS} and can be kb, mb, or gb`)
    throw Object.assign(refused, { cause: error })
  }
}

function count(name: string, text: string): Readonly<Record<string, unknown>> {
  const [path, value] = ofDevice(name, text)
  if (/^\d+$/.test(value)) return { Path: path, Rate: Number(value) }
  const format = 'The correct format is <device-path>:<number>. Number must be a positive integer'
  throw badArgument(text, name, `invalid rate for device: ${text}. ${format}`)
}
