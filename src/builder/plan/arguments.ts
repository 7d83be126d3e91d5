import { expandInstruction } from '#dockerfile'
import type { Dockerfile, Variables } from '#dockerfile'
import type { Platform } from '#oci'
import { formatPlatform } from '#oci'

/** Build arguments that RUN sees without an ARG, and that leave no trace in keys and history (reference, «Predefined ARGs»). */
const PROXIES: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
)

export function isProxyArgument(name: string): boolean {
  return PROXIES.has(name)
}

/** The arguments of the global scope that know the platforms (reference, «Automatic platform ARGs»). */
export function platformArguments(build: Platform, target: Platform): ReadonlyMap<string, string> {
  const of = (prefix: string, platform: Platform): [string, string][] => [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, platform.os],
    [`${prefix}ARCH`, platform.architecture],
    [`${prefix}VARIANT`, platform.variant ?? ''],
  ]
  return new Map([...of('BUILD', build), ...of('TARGET', target)])
}

export interface ArgumentSources {
  readonly buildArgs: Readonly<Record<string, string | undefined>>
  readonly platform: ReadonlyMap<string, string>
}

/** The values of ARGs before the first FROM: given ones, else their defaults, which see those before them. */
export function globalArguments(file: Dockerfile, sources: ArgumentSources): ReadonlyMap<string, string> {
  const values = new Map(sources.platform)
  const variables: Variables = (name) => values.get(name)
  const context = { source: file.source, escape: file.directives.escape }
  for (const instruction of file.globalArgs) {
    const expanded = expandInstruction(instruction, variables, context).instruction
    if (expanded.kind !== 'arg') continue
    for (const arg of expanded.args) {
      const value = sources.buildArgs[arg.name] ?? arg.value
      if (value !== undefined) values.set(arg.name, value)
    }
  }
  return values
}

/** Given arguments that no ARG of the file asks for and that are not predefined; sorted. */
export function unusedArguments(file: Dockerfile, buildArgs: Readonly<Record<string, unknown>>): readonly string[] {
  const stageArgs = file.stages.flatMap((stage) => stage.instructions.filter((each) => each.kind === 'arg'))
  const declared = new Set([...file.globalArgs, ...stageArgs].flatMap((each) => each.args.map((arg) => arg.name)))
  return Object.keys(buildArgs)
    .filter((name) => !declared.has(name) && !PROXIES.has(name) && !name.startsWith('BUILDKIT_'))
    .toSorted()
}
