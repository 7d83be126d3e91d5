import { readFileSync } from 'node:fs'

/** Where the kernel tells for how long anybody has waited for a disk since the boot (Documentation/accounting/psi.rst). */
export const DISK_PRESSURE = '/proc/pressure/io'
/** Disks count as busy where somebody waited for one for this share of the time, as the kernel weighs it. */
const BUSY = 0.25

/** Of a time that begins now: whether the machine's disks were busy in it, so that who stands in a call may only wait for them. */
export class DiskWait {
  readonly #path: string
  readonly #since: number
  readonly #before: number

  /** `now`: milliseconds, as of `performance.now()`. */
  constructor(path: string, now: number) {
    this.#path = path
    this.#since = now
    this.#before = waited(path)
  }

  /** False where the kernel does not count. */
  isBusy(now: number): boolean {
    return waited(this.#path) - this.#before >= BUSY * (now - this.#since)
  }
}

/** Milliseconds; NaN where it is not known. */
function waited(path: string): number {
  try {
    return Number(/^some .*total=(\d+)$/m.exec(readFileSync(path, 'latin1'))?.[1]) / 1000
  } catch {
    return Number.NaN
  }
}
