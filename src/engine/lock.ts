import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { conflict } from '#base'
import { lockFile } from '#kernel'

/**
 * Makes this process the one owner of a root; the lock goes with the process, however it ends. `conflict` where another
 * process holds it, naming the flag by which it can be avoided.
 */
export function lockRoot(folder: string, what: 'data root' | 'exec root'): Disposable {
  const path = `${folder}/lock`
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600)
  if (!lockFile(fd)) {
    const owner = readFileSync(fd, 'utf8').trim()
    closeSync(fd)
    const flag = what === 'data root' ? '--data-root' : '--exec-root'
    throw conflict(
      `cannot open the ${what} ${folder}: another mica daemon uses it (pid ${owner || 'unknown'}); stop that one, or give this one another ${flag}`,
    )
  }
  ftruncateSync(fd)
  writeSync(fd, `${process.pid}\n`)
  return { [Symbol.dispose]: () => closeSync(fd) }
}
