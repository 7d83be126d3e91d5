import type { Outcome } from './docker.ts'

/** Takes out what differs from one run, machine or engine to the next: ids, times, addresses, places, sizes of images. */
export function maskAnswer(outcome: Outcome, folder: string): Outcome {
  return {
    code: outcome.code,
    stdout: maskText(maskJson(outcome.stdout), folder),
    stderr: maskText(outcome.stderr, folder),
  }
}

/** Members of an answer in JSON whose values belong to the machine or the engine. */
const OWN = new Set([
  'Bridge',
  'EndpointID',
  'Gateway',
  'GraphDriver',
  'HostnamePath',
  'HostsPath',
  'IPAddress',
  'IPPrefixLen',
  'LogPath',
  'MacAddress',
  'Mountpoint',
  'NetworkID',
  'Pid',
  'ResolvConfPath',
  'Runtime',
  'SandboxID',
  'SandboxKey',
  'Size',
  'Subnet',
  'VirtualSize',
])

/** The docker CLI asks for volumes in any order. */
const UNORDERED = new Set(['Binds', 'Mounts'])

function byText(one: unknown, other: unknown): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1
}

/** The order of members means nothing. */
function maskJson(text: string): string {
  if (!/^[[{]/.test(text)) return text
  try {
    return `${JSON.stringify(sorted(JSON.parse(text)), undefined, 1)}\n`
  } catch {
    return text
  }
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(members.map(([name, member]) => [name, ownOr(name, member)]))
}

function ownOr(name: string, value: unknown): unknown {
  if (OWN.has(name)) return '<own>'
  const inOrder = sorted(value)
  return UNORDERED.has(name) && Array.isArray(inOrder) ? inOrder.sort(byText) : inOrder
}

const ESCAPE = String.fromCharCode(27)

const MASKS: readonly (readonly [RegExp, string])[] = [
  [/\b[0-9a-f]{64}\b/g, '<id>'],
  [/\b(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b/g, '<short>'],
  [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d)( UTC)?)?/g, '<time>'],
  [/\b(Less than a|About an?|\d+) (second|minute|hour|day|week|month|year)s?\b/g, '<age>'],
  [/\b\d+\.\d+\.\d+\.\d+\b/g, '<address>'],
  [/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g, '<mac>'],
  [/\b\d+(\.\d+)?MB\b/g, '<size>'],
  [/\bfile:[0-9a-f]{16}/g, 'file:<hash>'],
  [/(\/[\w.-]+)+\/volumes\//g, '<volumes>/'],
  // An old client's word for an error where it awaits a stream.
  [/Unrecognized input header: \d+/g, 'Unrecognized input header: <byte>'],
  // An old client that is told of a refused start twice says so by chance, and by chance where help is.
  [/^time="<time>" level=error msg="error waiting for container: context canceled"\n/gm, ''],
  [/^See 'docker run --help'\.\n/gm, ''],
  // A refused copy: whether its client had more to send is chance.
  [/^time="<time>" level=error msg="Can't .* closed pipe"\n/gm, ''],
  // Where a coloured stream was cut into pieces.
  [new RegExp(`${ESCAPE}\\[0m${ESCAPE}\\[91m`, 'g'), ''],
  // What docs/differs.md names (excerpt), (lint) and (step-containers).
  [/^(\S+:\d+\n)?( +\d+ \| .*\n)+( +\| +\^+\n?)?/gm, ''],
  [/^Dockerfile:1\n/gm, ''],
  [/^\[Warning\] \w+: .*\n/gm, ''],
  [/^ ---> (Running in|Removed intermediate container) <short>\n/gm, ''],
  // How a pull gets on depends on how quick it is.
  [/^<short>: (Waiting|Verifying Checksum|Downloading.*|Extracting.*)\n/gm, ''],
]

function maskText(text: string, folder: string): string {
  const masked = MASKS.reduce((left, [what, by]) => left.replaceAll(what, by), text.replaceAll(folder, '<folder>'))
  return masked
    .split(/(?<=\n)(?=[A-Z][A-Z ]+ {2,}[A-Z])/)
    .map((part) =>
      /^[A-Z][A-Z ]+ {2,}[A-Z]/.test(part) ? part.replaceAll(/ {2,}/g, '  ').replaceAll(/ +$/gm, '') : part,
    )
    .join('')
}
