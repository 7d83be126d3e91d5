import { invalid } from '#base'
import { closeDescriptor, openRoot, readFileInRoot } from '#kernel'

/** Ids that were looked up in the container's own passwd and group files, by parsing, never by running anything. */
export interface ProcessUser {
  readonly uid: number
  readonly gid: number
  readonly additionalGids: readonly number[]
  /** `HOME` of a process whose environment has none. */
  readonly home?: string
}

/** More than any real file; a hostile image must not fill the daemon's memory, nor take its time. Bytes. */
const FILE_LIMIT = 4 << 20

const ID_LIMIT = 2 ** 31 - 1

interface PasswdEntry {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** Texts of a root's user files; empty where there is none. */
export interface UserFiles {
  readonly passwd: string
  readonly group: string
}

/**
 * Who `user` («name», «uid», «name:group», «uid:gid», or nothing for root) is below `root`, by reading its /etc/passwd and
 * /etc/group confined to it; nothing is run. As with Docker what is mounted over them does not count; so this waits for no file
 * system that hangs. `invalid` in Docker's words where there is no such user.
 */
export function resolveUser(root: string, user: string): ProcessUser {
  return lookUpUser(readUserFiles(root), user)
}

/** The pure half of `resolveUser`, by Docker's rules: a group that was named comes alone, else all that list the user. */
export function lookUpUser(files: UserFiles, user: string): ProcessUser {
  const [userPart = '', groupPart = ''] = splitOnce(user)
  const entry = findPasswd(files.passwd, userPart)
  const uid = entry?.uid ?? numberOf(userPart === '' ? '0' : userPart)
  if (uid === undefined) throw invalid(`unable to find user ${userPart}: no matching entries in passwd file`)
  const gids = groupsOf(files.group, entry, groupPart)
  if ([uid, ...gids].some((id) => id > ID_LIMIT)) throw invalid('uids and gids must be in range 0-2147483647')
  return { uid, gid: gids[0] ?? 0, additionalGids: [...new Set(gids)], home: entry?.home || '/' }
}

/** The primary group first. */
function groupsOf(file: string, entry: PasswdEntry | undefined, wanted: string): readonly number[] {
  if (wanted !== '') return [namedGroup(file, wanted)]
  if (!entry) return [0]
  const gids = [entry.gid]
  for (const [, , gid, members] of entries(file)) if (lists(members, entry.name)) gids.push(fieldNumber(gid))
  return gids
}

function lists(members = '', name: string): boolean {
  return members !== '' && `,${members},`.includes(`,${name},`)
}

function splitOnce(text: string): readonly string[] {
  const at = text.indexOf(':')
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

function matches(wanted: string, name: string, id: number): boolean {
  return wanted === '' ? id === 0 : name === wanted || String(id) === wanted
}

function namedGroup(file: string, wanted: string): number {
  for (const [name = '', , gid] of entries(file)) if (matches(wanted, name, fieldNumber(gid))) return fieldNumber(gid)
  const gid = numberOf(wanted)
  if (gid === undefined) throw invalid(`unable to find group ${wanted}: no matching entries in group file`)
  return gid
}

function numberOf(text: string): number | undefined {
  if (!/^-?\d{1,20}$/.test(text)) return undefined
  const value = Number(text)
  if (value < 0 || value > ID_LIMIT) throw invalid('uids and gids must be in range 0-2147483647')
  return value
}

function findPasswd(file: string, wanted: string): PasswdEntry | undefined {
  for (const [name = '', , uid, gid, , home = ''] of entries(file)) {
    if (matches(wanted, name, fieldNumber(uid))) return { name, uid: fieldNumber(uid), gid: fieldNumber(gid), home }
  }
  return undefined
}

/** Fields that are looked at; a line may hold millions. */
const FIELDS = 6

/** One line after the other: a file of an image may hold millions, and this is not done in a worker. */
function* entries(file: string): Iterable<readonly string[]> {
  for (let at = 0; at < file.length;) {
    const found = file.indexOf('\n', at)
    const end = found < 0 ? file.length : found
    const text = end === at ? '' : file.slice(at, end).trim()
    if (text !== '' && !text.startsWith('#')) yield text.split(':', FIELDS)
    at = end + 1
  }
}

/** What is not a number counts as 0, as in Docker. */
function fieldNumber(text = ''): number {
  return /^\d{1,10}$/.test(text) ? Number(text) : 0
}

function readUserFiles(root: string): UserFiles {
  const rootFd = openRoot(root)
  try {
    const read = (path: string): string =>
      readFileInRoot(rootFd, path, FILE_LIMIT, { ownMount: true })?.toString('utf8') ?? ''
    return { passwd: read('/etc/passwd'), group: read('/etc/group') }
  } finally {
    closeDescriptor(rootFd)
  }
}
