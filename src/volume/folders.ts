import { join } from 'node:path'

/** Where a volume's files are. Names of ours begin with what no volume's name begins with. */
export interface VolumeFolders {
  readonly root: string
  /** What is being removed, out of the way of a new volume of that name. */
  readonly trash: string
  volume(name: string): string
  /** What containers see. */
  data(name: string): string
  /** The copy of the image's files until it is complete: removed after a crash. */
  seeding(name: string): string
}

export function volumeFolders(root: string): VolumeFolders {
  const volume = (name: string): string => join(root, name)
  return {
    root,
    trash: join(root, '_trash'),
    volume,
    data: (name) => join(volume(name), '_data'),
    seeding: (name) => join(volume(name), '_seeding'),
  }
}
