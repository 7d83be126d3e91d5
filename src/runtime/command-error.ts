import { constants, fstatSync } from 'node:fs'
import { EngineError } from '#base'
import { closeDescriptor, isErrno, openInRoot, openRoot } from '#kernel'

/** Why a command did not start, in the words of Docker's runtime, with the shell's exit code for it. */
interface CommandFailure {
  readonly text: string
  readonly exitCode?: 126 | 127
}

/** A mount that was asked for; `named` is what its user calls the source, where that lies somewhere else for now. */
interface AskedMount {
  readonly source: string
  readonly target?: string
  readonly named?: string
}

export interface StartAttempt {
  /** The container's root, to look at what the runtime complains about. */
  readonly root: string
  readonly command: string
  readonly cwd: string
  /** What the runtime printed. */
  readonly message: string
  readonly mounts?: readonly AskedMount[]
}

const CREATE = 'failed to create task for container: failed to create shim task: OCI runtime create failed'
const CREATE_PROGRAM = 'runc create failed: unable to start container process: error during container init'
const EXEC = 'OCI runtime exec failed: exec failed: unable to start container process'

/**
 * The error of a container or exec whose command could not be started, or of a mount that could not be made, in Docker's
 * words, `details.exitCode` 126 or 127; any other complaint of the runtime is passed on in the same frame.
 */
export function startError(kind: 'create' | 'exec', attempt: StartAttempt): EngineError {
  const message = plainMessage(attempt.message)
  if (kind === 'exec' && !attempt.cwd.startsWith('/') && message.includes('chdir'))
    return new EngineError('invalid', 'OCI runtime exec failed: exec failed: Cwd must be an absolute path', {
      details: { exitCode: 128 },
    })
  const failure = mountFailure({ ...attempt, message }) ?? commandFailure({ ...attempt, message })
  if (!failure)
    return new EngineError(
      'internal',
      `${kind === 'create' ? CREATE : 'OCI runtime exec failed'}: ${lowerReason(message) || 'it was killed before the process began'}`,
    )
  const frame = kind === 'create' ? `${CREATE}: ${CREATE_PROGRAM}` : EXEC
  const { text, exitCode } = failure
  return new EngineError('invalid', `${frame}: ${text}`, exitCode === undefined ? {} : { details: { exitCode } })
}

/** runc writes `time="…" level=error msg="…"`; what counts is in the last quotes. */
function plainMessage(message: string): string {
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")\s*$/.exec(message)?.[1]
  return quoted === undefined ? message : quoted.slice(1, -1).replace(/\\(.)/g, '$1')
}

/** crun's words for what it does with a mount: «mount `a` to `b`», «mkdir `b`», «open `root/b`». */
function mountFailure({ root, message, mounts = [] }: StartAttempt): CommandFailure | undefined {
  const [, verb, first = '', second] = /^(mount|mkdir|open) `([^`]+)`(?: to `([^`]+)`)?: /.exec(message) ?? []
  if (verb === undefined) return undefined
  const path = second === undefined ? first.replace(`${root}/`, '/') : `/${second}`.replace(/^\/+/, '/')
  const failed = mounts.find(({ source, target = '' }) =>
    verb === 'mount' ? source === first : `${target}/`.startsWith(`${path}/`),
  )
  if (!failed) return undefined
  // crun makes /sys read-only after it has made what lies in it, runc before.
  const reason = verb !== 'mount' && path.startsWith('/sys/') ? 'read-only file system' : reasonOf(message)
  const [from, to] = [failed.named ?? failed.source, failed.target ?? '']
  const what =
    verb === 'mount'
      ? `mount src=${from}, dst=${to}, flags=MS_BIND|MS_REC`
      : `create mountpoint for ${to} mount: make mountpoint ${JSON.stringify(path)}`
  return {
    text: `error mounting ${JSON.stringify(from)} to rootfs at ${JSON.stringify(to)}: ${what}: ${reason}${adviceFor(reason)}`,
    ...(/^(no such file|not a) /.test(reason) && { exitCode: 127 }),
  }
}

function adviceFor(reason: string): string {
  if (reason !== 'not a directory') return ''
  return ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'
}

/** crun's words for what it did before it came to the command. */
const NOT_ITS_FAULT = /^(mount|mkdir|open|creat|symlink|openat2?|failed open\(\)ing) [`/]/

function commandFailure({ root, command, cwd, message }: StartAttempt): CommandFailure | undefined {
  const quoted = JSON.stringify(command)
  if (command === '') return { text: `exec: ${quoted}: executable file not found in $PATH`, exitCode: 127 }
  if (/^chdir|chdir to cwd/.test(message))
    return {
      text: `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${reasonOf(message)}${adviceFor(reasonOf(message))}`,
      exitCode: 127,
    }
  if (NOT_ITS_FAULT.test(message)) return undefined
  const isPath = command.includes('/')
  if (!isPath && /open executable|permission denied|is a directory/i.test(message))
    return { text: `exec: ${quoted}: executable file not found in $PATH`, exitCode: 127 }
  if (/executable file .* not found|executable file not found|no such file or directory/i.test(message))
    return {
      text: `exec: ${quoted}: ${isPath ? `stat ${command}: no such file or directory` : 'executable file not found in $PATH'}`,
      exitCode: 127,
    }
  if (/open executable|permission denied|is a directory/i.test(message)) {
    const kind = kindOf(root, command)
    if (kind === 'below a file')
      return { text: `exec: ${quoted}: stat ${command}: not a directory${adviceFor('not a directory')}`, exitCode: 127 }
    return { text: `exec: ${quoted}: ${kind === 'folder' ? 'is a directory: ' : ''}permission denied`, exitCode: 126 }
  }
  return undefined
}

/** C writes «No such file or directory», Go does not; docker's client reads its exit status from it. */
function lowerReason(message: string): string {
  const at = message.lastIndexOf(': ') + 2
  return at < 2 || !/^[A-Z][a-z]+ /.test(message.slice(at)) ? message : `${message.slice(0, at)}${reasonOf(message)}`
}

function reasonOf(message: string): string {
  const reason = message.slice(message.lastIndexOf(': ') + 2).trim()
  return reason.charAt(0).toLowerCase() + reason.slice(1)
}

function kindOf(root: string, path: string): 'folder' | 'below a file' | 'other' {
  let rootFd: number | undefined
  try {
    rootFd = openRoot(root)
    const fd = openInRoot(rootFd, path, O_PATH, { follow: true })
    try {
      return (fstatSync(fd).mode & constants.S_IFMT) === constants.S_IFDIR ? 'folder' : 'other'
    } finally {
      closeDescriptor(fd)
    }
  } catch (error) {
    // Also where the whole root has gone with its last process.
    if (isErrno(error, 'ENOTDIR')) return 'below a file'
    if (isErrno(error, 'ENOENT', 'ESRCH', 'ELOOP', 'EACCES', 'ENAMETOOLONG')) return 'other'
    throw error
  } finally {
    if (rootFd !== undefined) closeDescriptor(rootFd)
  }
}

const O_PATH = 0o10000000
