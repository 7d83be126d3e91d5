import { invalid } from '#base'
import type { ConfinedRoot, Owner } from '#tree'
import type { Copy } from './copy-tree.ts'
import type { Entry } from './select.ts'

/** Files of names are small; a hostile image must not fill the memory. Bytes. */
const MAX_SIZE = 8 << 20

/** The largest id; the next one means «leave as it is» to chown. */
const MAX_ID = 0xfffffffe

/** `user[:group]`, each a number or a name of the root's own passwd and group files. A user alone has the group of his number. */
export function findOwner(root: ConfinedRoot, text: string): Owner {
  const [user = '', group] = text.split(':', 2)
  const uid = numberOf(user) ?? findId(root, 'etc/passwd', user)
  if (uid === undefined) throw unknownName('uid', 'user', user)
  const groupName = group === undefined || group === '' ? user : group
  const gid = numberOf(groupName) ?? findId(root, 'etc/group', groupName) ?? (group ? undefined : uid)
  if (gid === undefined) throw unknownName('gid', 'group', groupName)
  return { uid, gid }
}

/** As USER means it for a folder of WORKDIR: the user's own group from passwd; an unknown name is refused. */
export function findUser(root: ConfinedRoot, text: string): Owner {
  if (text === '') return { uid: 0, gid: 0 }
  const [user = '', group] = text.split(':', 2)
  const row = fieldsOf(root, 'etc/passwd').find((fields) => fields[0] === user || fields[2] === user)
  const uid = numberOf(user) ?? numberOf(row?.[2] ?? '')
  if (uid === undefined) throw unknownName('uid', 'user', user)
  const own = numberOf(row?.[3] ?? '') ?? 0
  const gid = group ? (numberOf(group) ?? findId(root, 'etc/group', group)) : own
  if (gid === undefined) throw unknownName('gid', 'group', group ?? '')
  return { uid, gid }
}

function findId(root: ConfinedRoot, file: string, name: string): number | undefined {
  const row = fieldsOf(root, file).find((fields) => fields[0] === name)
  return numberOf(row?.[2] ?? '')
}

function fieldsOf(root: ConfinedRoot, file: string): readonly (readonly string[])[] {
  const lines = root.readText(file, MAX_SIZE)?.split('\n') ?? []
  return lines.map((line) => line.split(':'))
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= MAX_ID ? Number(text) : undefined
}

function unknownName(id: string, noun: string, name: string) {
  return invalid(
    `unable to convert uid/gid chown string to host mapping: can't find ${id} for ${noun} ${name}: no such ${noun}: ${name}`,
  )
}

export const ROOT: Owner = { uid: 0, gid: 0 }

/** What a copied entry looks like. */
export function attributesOf(copy: Copy, { stat, kind }: Entry) {
  const kept = copy.target.keepOwners ? { uid: Number(stat.uid), gid: Number(stat.gid) } : ROOT
  return {
    mode: modeOf(copy, Number(stat.mode) & 0o7777, kind === 'folder'),
    owner: copy.owner ?? kept,
    mtime: stat.mtimeNs,
  }
}

export function modeOf(copy: Copy, mode: number, isFolder: boolean): number {
  return copy.mode === undefined ? mode : copy.mode(mode, isFolder)
}
