import { sql as lease } from './001-lease.ts'
import { sql as content } from './002-content.ts'
import { sql as snapshot } from './003-snapshot.ts'
import { sql as layer } from './004-layer.ts'
import { sql as image } from './005-image.ts'
import { sql as network } from './006-network.ts'
import { sql as volume } from './007-volume.ts'
import { sql as container } from './008-container.ts'
import { sql as builder } from './009-builder.ts'
import { sql as damage } from './019-damage.ts'
import { sql as hub } from './020-hub.ts'
import { sql as networks } from './021-network.ts'

/** One change of the schema: run once, in the order of numbers, each in the transaction that also records it. */
export interface Migration {
  readonly number: number
  /** The room that owns the tables; only its code touches them. */
  readonly room: string
  readonly sql: string
}

/**
 * Every migration, by number. Taken numbers: 1 lease, 2 content, 3 snapshot, 4 layer, 5 image, 6 network, 7 volume,
 * 8 container, 9 builder. Tables are STRICT and carry the room's name in front; a time is an INTEGER of nanoseconds.
 */
export const migrations: readonly Migration[] = [
  { number: 1, room: 'lease', sql: lease },
  { number: 2, room: 'content', sql: content },
  { number: 3, room: 'snapshot', sql: snapshot },
  { number: 4, room: 'layer', sql: layer },
  { number: 5, room: 'image', sql: image },
  { number: 6, room: 'network', sql: network },
  { number: 7, room: 'volume', sql: volume },
  { number: 8, room: 'container', sql: container },
  { number: 9, room: 'builder', sql: builder },
  { number: 19, room: 'snapshot', sql: damage },
  { number: 20, room: 'hub', sql: hub },
  { number: 21, room: 'network', sql: networks },
]
