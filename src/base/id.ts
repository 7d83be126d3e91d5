import { randomBytes } from 'node:crypto'

/** 64 hex digits: the id of a container, network or exec. */
export function longId(): string {
  return randomBytes(32).toString('hex')
}

/** 12 hex digits: names of temporary things. */
export function shortId(): string {
  return randomBytes(6).toString('hex')
}

/** The first twelve digits of an id, as tables show it; `sha256:` is left out. */
export function abbreviate(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12)
}
