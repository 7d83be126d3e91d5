import { type Log, messageOf } from '#base'
import type { SeccompProfile } from './seccomp.ts'
import { tryProgram } from './trial.ts'
import type { RuntimeProgram } from './types.ts'

/** Rules compiled once for all containers that have them: compiling takes crun most of its time (three times all the rest). */
export interface SeccompFilters {
  /** In base64, as crun takes it; undefined while it is not compiled, which begins now. */
  find(profile: SeccompProfile): string | undefined
}

export interface FilterOptions {
  readonly program: RuntimeProgram
  readonly execRoot: string
  readonly log: Log
}

/** Knows `first` from the beginning. */
export function createSeccompFilters(
  { program, execRoot, log }: FilterOptions,
  first: { readonly profile: SeccompProfile; readonly filter: Buffer | undefined },
): SeccompFilters {
  const known = new Map<string, string | undefined>([[keyOf(first.profile), first.filter?.toString('base64')]])
  const compile = async (profile: SeccompProfile, key: string): Promise<void> => {
    const { failure, filter } = await tryProgram(program.file, execRoot, profile)
    if (failure !== undefined) log.warn('cannot compile the rules for system calls ahead', { failure })
    known.set(key, filter?.toString('base64'))
  }
  return {
    find(profile) {
      const key = keyOf(profile)
      if (!known.has(key) && program.name === 'crun') {
        known.set(key, undefined)
        compile(profile, key).catch((error: unknown) =>
          log.warn('cannot compile rules ahead', { error: messageOf(error) }),
        )
      }
      return known.get(key)
    },
  }
}

function keyOf(profile: SeccompProfile): string {
  return JSON.stringify(profile)
}
