import { posix } from 'node:path'
import { invalid } from '#base'
import { badArgument, flag, type FlagValues, pairsOf, splitFields } from '#cli/kit'

export const deviceFlags = {
  device: flag.list('Add a host device to the container'),
  'device-cgroup-rule': flag.list('Add a rule to the cgroup allowed devices list'),
  gpus: flag.text("GPU devices to add to the container ('all' to pass all GPUs)", { value: 'gpu-request' }),
}

/** Members of HostConfig. */
export function devices(flags: FlagValues<typeof deviceFlags>): Readonly<Record<string, unknown>> {
  const rules = flags['device-cgroup-rule']
  for (const rule of rules)
    if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(rule))
      throw badArgument(rule, '--device-cgroup-rule', `invalid device cgroup format '${rule}'`)
  const named = flags.device.filter((text) => CDI.test(text))
  const requests = [
    ...(flags.gpus === undefined ? [] : [gpuRequest(flags.gpus)]),
    ...(named.length > 0 ? [{ Driver: 'cdi', DeviceIDs: named }] : []),
  ]
  return {
    Devices: flags.device.filter((text) => !CDI.test(text)).map(device),
    DeviceCgroupRules: rules.length > 0 ? rules : null,
    ...(requests.length > 0 && { DeviceRequests: requests }),
  }
}

/** «vendor.com/class=name»: a device by the name that its vendor gave it. */
const CDI = /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[\w.:-]+$/

/** `HOST[:CONTAINER][:rwm]`. */
function device(text: string): Readonly<Record<string, string>> {
  const [host = '', second, third, ...more] = text.split(':')
  if (host === '' || more.length > 0) throw invalid(`bad format for path: ${text}`)
  if (third !== undefined && !isMode(third)) throw invalid(`bad mode specified: ${third}`)
  const isPath = second !== undefined && (third !== undefined || !isMode(second))
  const inside = isPath ? second : host
  if (!posix.isAbsolute(inside)) throw invalid(`${inside} is not an absolute path`)
  const permissions = third ?? (isPath ? undefined : second) ?? 'rwm'
  return {
    PathOnHost: isPath ? host : posix.normalize(host),
    PathInContainer: posix.normalize(inside),
    CgroupPermissions: permissions,
  }
}

function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length
}

/** «all», a number, or `driver=…,count=…,"device=0,1","capabilities=…",options=…`. */
function gpuRequest(text: string): Readonly<Record<string, unknown>> {
  const refuse = (why: string): Error => badArgument(text, '--gpus', why)
  const request: Record<string, unknown> = { Options: {}, Capabilities: [['gpu']] }
  const seen = new Set<string>()
  for (const field of splitFields(text) ?? []) {
    const at = field.indexOf('=')
    const [key, value] = at < 0 ? ['count', field] : [field.slice(0, at), field.slice(at + 1)]
    if (seen.has(key)) throw refuse(`gpu request key '${key}' can be specified only once`)
    seen.add(key)
    if (key === 'driver') request['Driver'] = value
    else if (key === 'count') request['Count'] = gpuCount(value, refuse)
    else if (key === 'device') request['DeviceIDs'] = value.split(',')
    else if (key === 'capabilities') request['Capabilities'] = [[...value.split(','), 'gpu']]
    else if (key === 'options') request['Options'] = pairsOf(splitFields(value) ?? [])
    else throw refuse(`unexpected key '${key}' in '${field}'`)
  }
  return seen.has('count') || seen.has('device') ? request : { ...request, Count: 1 }
}

function gpuCount(text: string, refuse: (why: string) => Error): number {
  if (text === 'all') return -1
  if (/^[-+]?\d+$/.test(text)) return Number(text)
  throw refuse(`invalid count (${text}): value must be either "all" or an integer: invalid syntax`)
}
