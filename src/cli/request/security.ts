import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { invalid } from '#base'
import { errorText, flag, type FlagValues } from '#cli/kit'

/** Flags about what a container may see and do. */
export const securityFlags = {
  'cap-add': flag.list('Add Linux capabilities'),
  'cap-drop': flag.list('Drop Linux capabilities'),
  cgroupns: flag.text(
    "Cgroup namespace to use (host|private); 'host': the Docker host's, 'private': its own, '': as the daemon says (default)",
  ),
  'group-add': flag.list('Add additional groups to join'),
  ipc: flag.text('IPC mode to use'),
  isolation: flag.text('Container isolation technology'),
  pid: flag.text('PID namespace to use'),
  privileged: flag.switch('Give extended privileges to this container'),
  'security-opt': flag.list('Security Options'),
  userns: flag.text('User namespace to use'),
  uts: flag.text('UTS namespace to use'),
}

type SecurityFlags = FlagValues<typeof securityFlags>

/** Members of HostConfig. */
export function security(flags: SecurityFlags, cwd: string): Readonly<Record<string, unknown>> {
  checkNamespaces(flags)
  return {
    ...securityOptions(flags['security-opt'], cwd),
    Privileged: flags.privileged,
    CapAdd: capabilities(flags['cap-add']),
    CapDrop: capabilities(flags['cap-drop']),
    GroupAdd: flags['group-add'].length > 0 ? flags['group-add'] : null,
    IpcMode: flags.ipc ?? '',
    PidMode: flags.pid ?? '',
    UTSMode: flags.uts ?? '',
    UsernsMode: flags.userns ?? '',
    CgroupnsMode: flags.cgroupns ?? '',
    ...(flags.isolation !== undefined && { Isolation: flags.isolation }),
  }
}

function checkNamespaces({ pid = '', uts = '', userns = '', cgroupns = '' }: SecurityFlags): void {
  if (!['', 'host'].includes(pid) && !/^container:./.test(pid)) throw invalid('--pid: invalid PID mode')
  if (!['', 'host'].includes(uts)) throw invalid('--uts: invalid UTS mode')
  if (!['', 'host'].includes(userns)) throw invalid('--userns: invalid USER mode')
  if (!['', 'host', 'private'].includes(cgroupns)) throw invalid('--cgroupns: invalid CGROUP mode')
}

/** As docker's client spells them: in capitals, with their prefix, each once, by name. */
function capabilities(names: readonly string[]): readonly string[] | null {
  const spelled = names.map((name) => {
    const upper = name.trim().toUpperCase()
    return upper === 'ALL' || upper.startsWith('CAP_') ? upper : `CAP_${upper}`
  })
  return spelled.length === 0 ? null : [...new Set(spelled)].sort()
}

/** A profile is sent as its text; `systempaths=unconfined` means that no path is masked. */
function securityOptions(texts: readonly string[], cwd: string): Readonly<Record<string, unknown>> {
  const options = texts.map((text) => securityOption(text, cwd))
  const kept = options.filter((option) => option !== 'systempaths=unconfined')
  return {
    SecurityOpt: kept.length > 0 ? kept : null,
    ...(kept.length < options.length && { MaskedPaths: [], ReadonlyPaths: [] }),
  }
}

function securityOption(text: string, cwd: string): string {
  const [, name, value] = /^([^=:]*)[=:](.*)$/s.exec(text) ?? [undefined, text, '']
  if (name === 'no-new-privileges') return text
  if (value === '' || value === undefined) throw invalid(`Invalid --security-opt: ${JSON.stringify(text)}`)
  return name === 'seccomp' && !['unconfined', 'builtin'].includes(value) ? `seccomp=${profile(value, cwd)}` : text
}

function profile(file: string, cwd: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(resolve(cwd, file), 'utf8')))
  } catch (error) {
    const what = error instanceof SyntaxError ? 'compacting json for' : 'opening'
    throw invalid(`${what} seccomp profile (${file}) failed: ${errorText(error, 'open', file)}`, { cause: error })
  }
}
