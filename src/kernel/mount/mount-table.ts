import { readFileSync } from 'node:fs'
import type { MountEntry } from './types.ts'

/** The mounts that this process sees, in the order of the kernel. */
export function mountTable(): readonly MountEntry[] {
  return parseMountTable(readFileSync('/proc/thread-self/mountinfo', 'utf8'))
}

/** The lines of a mountinfo file; ones that are not of that form are left out. */
export function parseMountTable(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap((line) => {
    const entry = parseLine(line)
    return entry ? [entry] : []
  })
}

function parseLine(line: string): MountEntry | undefined {
  const fields = line.split(' ')
  const dash = fields.indexOf('-', 6)
  const [id, parent, device, root, target, options] = fields
  const [type, source, superOptions] = fields.slice(dash + 1)
  if (dash < 0 || device === undefined || root === undefined || target === undefined || type === undefined)
    return undefined
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescape(root),
    target: unescape(target),
    options: (options ?? '').split(','),
    propagation: fields.slice(6, dash),
    type,
    source: unescape(source ?? ''),
    superOptions: (superOptions ?? '').split(','),
  }
}

/** Blank, tab, line feed and backslash stand as octal numbers: the bytes of one name may be split over several of them. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
