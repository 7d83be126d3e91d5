import { constants, fstatSync } from 'node:fs'
import { EngineError } from '#base'
import { closeDescriptor, isErrno, openInRoot, openRoot } from '#kernel'

/** Why a command did not start, in the words of Docker's runtime, with the shell's exit code for it. */
interface CommandFailure {
  readonly text: string
  readonly exitCode: 126 | 127
}

export interface StartAttempt {
  /** The container's root, to look at what the runtime complains about. */
  readonly root: string
  readonly command: string
  readonly cwd: string
  /** What the runtime printed. */
  readonly message: string
}

const CREATE = 'failed to create task for container: failed to create shim task: OCI runtime create failed'
const CREATE_PROGRAM = 'runc create failed: unable to start container process: error during container init'
const EXEC = 'OCI runtime exec failed: exec failed: unable to start container process'

/**
 * The error of a container or exec whose command could not be started, in Docker's words, `details.exitCode` 126 or 127;
 * any other complaint of the runtime is passed on in the same frame.
 */
export function startError(kind: 'create' | 'exec', attempt: StartAttempt): EngineError {
  const message = plainMessage(attempt.message)
  const failure = commandFailure({ ...attempt, message })
  if (!failure)
    return new EngineError(
      'internal',
      `${kind === 'create' ? CREATE : 'OCI runtime exec failed'}: ${message || 'it was killed before the process began'}`,
    )
  const frame = kind === 'create' ? `${CREATE}: ${CREATE_PROGRAM}` : EXEC
  return new EngineError('invalid', `${frame}: ${failure.text}`, { details: { exitCode: failure.exitCode } })
}

/** runc writes `time="…" level=error msg="…"`; what counts is in the last quotes. */
function plainMessage(message: string): string {
  const quoted = /\bmsg=("(?:[^"\\]|\\.)*")\s*$/.exec(message)?.[1]
  return quoted === undefined ? message : quoted.slice(1, -1).replace(/\\(.)/g, '$1')
}

function commandFailure({ root, command, cwd, message }: StartAttempt): CommandFailure | undefined {
  const quoted = JSON.stringify(command)
  if (command === '') return { text: `exec: ${quoted}: executable file not found in $PATH`, exitCode: 127 }
  if (/^chdir|chdir to cwd/.test(message))
    return {
      text: `chdir to cwd (${JSON.stringify(cwd)}) set in config.json failed: ${reasonOf(message)}`,
      exitCode: 127,
    }
  if (/executable file .* not found|executable file not found|no such file or directory/i.test(message))
    return {
      text: `exec: ${quoted}: ${command.includes('/') ? `stat ${command}: no such file or directory` : 'executable file not found in $PATH'}`,
      exitCode: 127,
    }
  if (/open executable|permission denied|is a directory/i.test(message))
    return {
      text: `exec: ${quoted}: ${isFolder(root, command) ? 'is a directory: ' : ''}permission denied`,
      exitCode: 126,
    }
  return undefined
}

function reasonOf(message: string): string {
  const reason = message.slice(message.lastIndexOf(': ') + 2).trim()
  return reason.charAt(0).toLowerCase() + reason.slice(1)
}

function isFolder(root: string, path: string): boolean {
  let rootFd: number | undefined
  try {
    rootFd = openRoot(root)
    const fd = openInRoot(rootFd, path, O_PATH, { follow: true })
    try {
      return (fstatSync(fd).mode & constants.S_IFMT) === constants.S_IFDIR
    } finally {
      closeDescriptor(fd)
    }
  } catch (error) {
    // Also where the whole root has gone with its last process.
    if (isErrno(error, 'ENOENT', 'ESRCH', 'ENOTDIR', 'ELOOP', 'EACCES')) return false
    throw error
  } finally {
    if (rootFd !== undefined) closeDescriptor(rootFd)
  }
}

const O_PATH = 0o10000000
