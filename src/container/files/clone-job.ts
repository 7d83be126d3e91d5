import { join } from 'node:path'
import { EngineError } from '#base'
import { cloneMount, closeDescriptor, descriptorPath, isErrno, openInRoot, openRoot } from '#kernel'

export interface CloneInput {
  readonly root: string
  readonly subpath: string
}

const O_PATH = 0o10000000

/** A detached mount of what stands below a folder, as a descriptor that becomes the caller's. Links on the way lead inside `root` only. */
export function cloneBelow({ root, subpath }: CloneInput): number {
  const rootFd = openRoot(root)
  try {
    const fd = openInRoot(rootFd, subpath, O_PATH, { follow: true })
    try {
      return cloneMount(descriptorPath(fd))
    } finally {
      closeDescriptor(fd)
    }
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error
    const path = join(root, subpath)
    const why = error.errno === 'ENOENT' ? 'no such file or directory' : 'not a directory'
    throw new EngineError('internal', `cannot access path ${path}: lstat ${path}: ${why}`, { cause: error })
  } finally {
    closeDescriptor(rootFd)
  }
}
