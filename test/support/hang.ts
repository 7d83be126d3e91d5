import { attachMount, unmountSync } from '#kernel'
import { closeSync, existsSync, openSync } from 'node:fs'

export const NO_FUSE =
  !existsSync('/dev/fuse') && 'this machine has no FUSE, which here stands in for a file system that hangs'

/** A FUSE file system whose server never answers, until its end. */
export class Hang {
  readonly #fd: number
  readonly #place: string

  constructor(place: string) {
    this.#place = place
    this.#fd = openSync('/dev/fuse', 'r+')
    const options = [`fd=${this.#fd}`, 'rootmode=40000', 'user_id=0', 'group_id=0', 'allow_other']
    attachMount({ type: 'fuse', source: 'hang', options }, place)
  }

  end(): void {
    closeSync(this.#fd)
    unmountSync(this.#place, { detach: true })
  }
}
