import { invalid } from '#base'
import { closeDescriptor, openRoot, readFileInRoot } from '#kernel'
import type { ProcessUser } from './types.ts'

/** More than any real file; a hostile image must not fill the daemon's memory. Bytes. */
const FILE_LIMIT = 8 << 20

const ID_LIMIT = 2 ** 31 - 1

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

interface GroupEntry {
  readonly name: string
  readonly gid: number
  readonly members: readonly string[]
}

/** Texts of a root's user files; empty where there is none. */
export interface UserFiles {
  readonly passwd: string
  readonly group: string
}

/**
 * Who `user` («name», «uid», «name:group», «uid:gid», or nothing for root) is below `root`, by reading its /etc/passwd and
 * /etc/group confined to it; nothing is run. `invalid` in Docker's words where there is no such user.
 */
export function resolveUser(root: string, user: string): ProcessUser {
  return lookUpUser(readUserFiles(root), user)
}

/** The pure half of `resolveUser`, by Docker's rules: a group that was named comes alone, else all that list the user. */
export function lookUpUser(files: UserFiles, user: string): ProcessUser {
  const [userPart = '', groupPart = ''] = splitOnce(user)
  const entry = parsePasswd(files.passwd).find((line) => matches(userPart, line.name, line.uid))
  const uid = entry?.uid ?? numberOf(userPart === '' ? '0' : userPart)
  if (uid === undefined) throw invalid(`unable to find user ${userPart}: no matching entries in passwd file`)
  const gids = groupsOf(parseGroup(files.group), entry, groupPart)
  if ([uid, ...gids].some((id) => id > ID_LIMIT)) throw invalid('uids and gids must be in range 0-2147483647')
  return { uid, gid: gids[0] ?? 0, additionalGids: [...new Set(gids)], home: entry?.home || '/' }
}

/** The primary group first. */
function groupsOf(groups: readonly GroupEntry[], entry: PasswdEntry | undefined, wanted: string): readonly number[] {
  if (wanted !== '') return [namedGroup(groups, wanted)]
  if (!entry) return [0]
  return [entry.gid, ...groups.filter((group) => group.members.includes(entry.name)).map((group) => group.gid)]
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf(':')
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function matches(wanted: string, name: string, id: number): boolean {
  return wanted === '' ? id === 0 : name === wanted || String(id) === wanted
}

function namedGroup(groups: readonly GroupEntry[], wanted: string): number {
  const gid = groups.find((group) => matches(wanted, group.name, group.gid))?.gid ?? numberOf(wanted)
  if (gid === undefined) throw invalid(`unable to find group ${wanted}: no matching entries in group file`)
  return gid
}

function numberOf(text: string): number | undefined {
  if (!/^-?\d{1,20}$/.test(text)) return undefined
  const value = Number(text)
  if (value < 0 || value > ID_LIMIT) throw invalid('uids and gids must be in range 0-2147483647')
  return value
}

function parsePasswd(text: string): readonly PasswdEntry[] {
  return lines(text).map(([name = '', , uid, gid, , home = '']) => ({
    name,
    uid: fieldNumber(uid),
    gid: fieldNumber(gid),
    home,
  }))
}

function parseGroup(text: string): readonly GroupEntry[] {
  return lines(text).map(([name = '', , gid, members = '']) => ({
    name,
    gid: fieldNumber(gid),
    members: members.split(',').filter((member) => member !== ''),
  }))
}

function lines(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'))
}

/** What is not a number counts as 0, as in Docker. */
function fieldNumber(text = ''): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}

function readUserFiles(root: string): UserFiles {
  const rootFd = openRoot(root)
  try {
    const read = (path: string): string => readFileInRoot(rootFd, path, FILE_LIMIT)?.toString('utf8') ?? ''
    return { passwd: read('/etc/passwd'), group: read('/etc/group') }
  } finally {
    closeDescriptor(rootFd)
  }
}
