import type { Database, Row } from '#store/db'
import { readBigInt, readNumber, readText } from '#store/db'
import type { VolumeRecord } from './types.ts'

/** A volume whose record is gone and whose bytes are going. */
export interface Removal {
  /** Name of the folder in the trash. */
  readonly folder: string
  readonly volume: string
}

/** The tables of this room; all calls are synchronous and may stand in a transaction. */
export interface VolumeRecords {
  find(name: string): VolumeRecord | undefined
  list(): readonly VolumeRecord[]
  add(volume: Omit<VolumeRecord, 'driver' | 'mountpoint'>): void
  remove(name: string): void
  users(name: string): readonly string[]
  uses(): readonly { readonly volume: string; readonly container: string }[]
  use(name: string, container: string): void
  release(container: string): void
  addRemoval(removal: Removal): void
  removals(): readonly Removal[]
  endRemoval(folder: string): void
}

export function volumeRecords(database: Database, mountpointOf: (name: string) => string): VolumeRecords {
  const parse = (row: Row): VolumeRecord => {
    const name = readText(row, 'name')
    return {
      name,
      driver: 'local',
      createdAt: readBigInt(row, 'created_at'),
      labels: JSON.parse(readText(row, 'labels')),
      options: JSON.parse(readText(row, 'options')),
      anonymous: readNumber(row, 'anonymous') === 1,
      mountpoint: mountpointOf(name),
    }
  }
  return {
    find(name) {
      const row = database.get('SELECT * FROM volume WHERE name = ?', name)
      return row && parse(row)
    },
    list: () => database.all('SELECT * FROM volume ORDER BY name').map(parse),
    add: ({ name, createdAt, labels, options, anonymous }) =>
      void database.run(
        'INSERT INTO volume (name, created_at, labels, options, anonymous) VALUES (?, ?, ?, ?, ?)',
        name,
        createdAt,
        JSON.stringify(labels),
        JSON.stringify(options),
        anonymous ? 1 : 0,
      ),
    remove: (name) => void database.run('DELETE FROM volume WHERE name = ?', name),
    users: (name) =>
      database
        .all('SELECT container FROM volume_use WHERE volume = ? ORDER BY container', name)
        .map((row) => readText(row, 'container')),
    uses: () =>
      database
        .all('SELECT volume, container FROM volume_use ORDER BY volume, container')
        .map((row) => ({ volume: readText(row, 'volume'), container: readText(row, 'container') })),
    use: (name, container) =>
      void database.run('INSERT OR IGNORE INTO volume_use (volume, container) VALUES (?, ?)', name, container),
    release: (container) => void database.run('DELETE FROM volume_use WHERE container = ?', container),
    addRemoval: ({ folder, volume }) =>
      void database.run('INSERT INTO volume_removal (folder, volume) VALUES (?, ?)', folder, volume),
    removals: () =>
      database
        .all('SELECT folder, volume FROM volume_removal')
        .map((row) => ({ folder: readText(row, 'folder'), volume: readText(row, 'volume') })),
    endRemoval: (folder) => void database.run('DELETE FROM volume_removal WHERE folder = ?', folder),
  }
}
