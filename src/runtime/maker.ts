import { readdirSync, readFileSync } from 'node:fs'
import { constants } from 'node:os'
import { killProcess, processExited } from '#kernel'

/**
 * Kills the programs that were about to make a container or step when a daemon was killed: they are found by their
 * arguments, as nobody wrote down their pids. Resolves once they are gone.
 */
export async function killMakers(id: string): Promise<void> {
  for (const pid of makersOf(id)) {
    killProcess(pid, constants.signals.SIGKILL)
    await processExited(pid)
  }
}

/** An id is 64 random digits: who has it in its arguments beside `--root` or `--cid` is about this container. */
function makersOf(id: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const args = commandLine(pid)
      const names = args.includes(id) || args.includes(`--cid=${id}`)
      return names && args.some((arg) => arg.startsWith('--root=') || arg.startsWith('--cid='))
    })
    .map(Number)
}

function commandLine(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
  } catch {
    return []
  }
}
