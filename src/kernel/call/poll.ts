import { ffi, lazy, type PollHandle } from './ffi.ts'
import { libc } from './libc.ts'
import { checked } from './system-call-error.ts'

const F_DUPFD_CLOEXEC = 1030
const F_GETFL = 3
const F_SETFL = 4
const F_SETFD = 2
const FD_CLOEXEC = 1
const O_NONBLOCK = 0x800

/** Calls that would wait give EAGAIN from now on. */
export function setNonBlocking(fd: number, nonBlocking = true): void {
  const facts = { call: 'set flags of descriptor', path: String(fd) }
  const flags = checked(libc().fcntl(fd, F_GETFL, 0), facts)
  const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
  if (flags !== wanted) checked(libc().fcntl(fd, F_SETFL, wanted), facts)
}

/** Children do not get this descriptor. */
export function setCloseOnExec(fd: number, close = true): void {
  checked(libc().fcntl(fd, F_SETFD, close ? FD_CLOEXEC : 0), { call: 'set flags of descriptor', path: String(fd) })
}

/** A second descriptor of the same open file, numbered `from` or higher. */
export function duplicate(fd: number, from = 3): number {
  return checked(libc().fcntl(fd, F_DUPFD_CLOEXEC, from), { call: 'duplicate descriptor', path: String(fd) })
}

/** Waits on the event loop until a descriptor (pipe, socket, terminal, pidfd) is ready. */
export interface Watch extends Disposable {
  ready(): Promise<void>
}

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined
  /** False: waiting does not keep the process alive. */
  readonly keepAlive?: boolean
}

/**
 * Handles that do not keep the process alive. They are closed before it ends: Node goes on with its loop for a moment then, in which
 * a callback can run no more, and would end the process by SIGABRT.
 */
const unkept = lazy(() => {
  const all = new Set<PollHandle>()
  process.once('exit', () => {
    for (const poll of all) poll.close()
  })
  return all
})

/**
 * Watches a duplicate, for the loop takes but one watcher a descriptor and must not lose one that is closed meanwhile.
 * `ready` also resolves when the signal is aborted, and at an error or hang-up: the next call on the descriptor tells.
 */
export function watch(fd: number, interest: 'readable' | 'writable', options: WatchOptions = {}): Watch {
  const own = duplicate(fd)
  let wake: (() => void) | undefined
  const woken = (): void => {
    const waiting = wake
    wake = undefined
    waiting?.()
  }
  let handle: PollHandle | undefined
  const end = (poll: PollHandle): void => {
    poll.close()
    if (options.keepAlive === false) unkept().delete(poll)
  }
  const start = (): PollHandle => {
    const poll = ffi().node.poll(own, interest === 'readable' ? { readable: true } : { writable: true }, () => {
      // Named here so that the handle lives as long as its callback.
      if (handle === poll) handle = undefined
      end(poll)
      woken()
    })
    if (options.keepAlive === false) {
      poll.unref()
      unkept().add(poll)
    }
    return poll
  }
  options.signal?.addEventListener('abort', woken)
  return {
    ready() {
      if (options.signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        wake = resolve
        handle ??= start()
      })
    },
    [Symbol.dispose]() {
      options.signal?.removeEventListener('abort', woken)
      if (handle) end(handle)
      handle = undefined
      checked(libc().close(own), { call: 'close descriptor', path: String(own) })
      woken()
    },
  }
}
