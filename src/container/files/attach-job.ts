import { closeSync, constants, fstatSync, openSync } from 'node:fs'
import { posix } from 'node:path'
import { nameOfText } from '#archive'
import { conflict } from '#base'
import { descriptorPath, moveMount, setMountAttributes } from '#kernel'
import { ConfinedRoot } from '#tree'

/** A detached mount and where it goes; the descriptor stays the caller's. */
export interface AttachedMount {
  readonly fd: number
  readonly destination: string
  readonly readonly: boolean
}

export interface AttachInput {
  /** A mounted root. */
  readonly root: string
  /** Parents before what lies in them. */
  readonly mounts: readonly AttachedMount[]
}

/** Nobody opens a device by what a process of the container puts in a file's place. */
export const SAFE = ['nodev', 'nosuid'] as const

/** Attaches mounts inside a root, whatever links stand there. */
export function attachInside({ root, mounts }: AttachInput): void {
  for (const { fd, destination, readonly } of mounts) {
    setMountAttributes(fd, [...SAFE, 'rslave', ...(readonly ? ['ro'] : [])])
    attachOne(root, destination, fd)
  }
}

const ROOT = { uid: 0, gid: 0 }

/** As a start does, the place is made in the container where it is missing. */
function attachOne(root: string, destination: string, mount: number): void {
  using confined = new ConfinedRoot(root)
  const path = nameOfText(destination)
  let target = confined.open(path)
  if (target === undefined) {
    if (fstatSync(mount).isDirectory()) confined.makeFolders(path, ROOT)
    else makeFile(confined, path)
    target = confined.open(path)
  }
  if (target === undefined) throw conflict(`cannot mount at ${destination}: it vanished`)
  try {
    moveMount(mount, descriptorPath(target))
  } finally {
    closeSync(target)
  }
}

const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW

function makeFile(confined: ConfinedRoot, path: string): void {
  const place = confined.freePlace(path, ROOT)
  closeSync(openSync(confined.entry(posix.dirname(place), posix.basename(place)), NEW_FILE, 0o755))
}
