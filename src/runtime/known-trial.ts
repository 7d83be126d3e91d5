import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { writeFileAtomic } from '#base'
import type { SeccompProfile } from './seccomp.ts'
import { tryProgram } from './trial.ts'
import type { Trial } from './trial.ts'

/** A trial's outcome and the program's version, as kept below the exec root: until the machine starts anew. */
export interface KnownTrial extends Trial {
  readonly version: string
}

export interface TrialRequest {
  readonly name: string
  readonly file: string
  readonly execRoot: string
  readonly profile: SeccompProfile
  readonly versionOf: (file: string) => Promise<string>
}

/**
 * The trial of this very program with these rules on this kernel, made once for an exec root: a daemon that starts again
 * does not create a container to learn what its predecessor knew. A failure is not kept: its cause may be gone.
 */
export async function knownTrial(request: TrialRequest): Promise<KnownTrial> {
  const path = join(request.execRoot, `trial-${request.name}.json`)
  const key = keyOf(request)
  const known = readKnown(path, key)
  if (known !== undefined) return known
  const [trial, version] = await Promise.all([
    tryProgram(request.file, request.execRoot, request.profile),
    request.versionOf(request.file),
  ])
  const filter = trial.filter?.toString('base64')
  if (trial.failure === undefined) await writeFileAtomic(path, JSON.stringify({ key, version, filter }), 0o600)
  return { ...trial, version }
}

/** Changes with the file, the kernel and the rules. */
function keyOf({ file, profile }: TrialRequest): string {
  const { dev, ino, size, mtimeNs } = statSync(file, { bigint: true })
  const facts = [file, dev, ino, size, mtimeNs, release(), JSON.stringify(profile)]
  return createHash('sha256').update(facts.map(String).join('\0')).digest('hex')
}

/** Undefined where nothing is kept, or something that is not ours to believe. */
function readKnown(path: string, key: string): KnownTrial | undefined {
  const text = readText(path)
  if (text === undefined) return undefined
  const kept = parse(text)
  if (kept?.['key'] !== key || typeof kept['version'] !== 'string') return undefined
  const filter = kept['filter']
  return { version: kept['version'], ...(typeof filter === 'string' && { filter: Buffer.from(filter, 'base64') }) }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
