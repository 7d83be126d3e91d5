// The base image `busybox`: Debian's static busybox under the names of its applets, and the folders,
// users and groups that one expects in a small root file system.
import { readFileSync } from 'node:fs'
import { capture } from './run.mjs'
import { tar } from './tar.mjs'

const FOLDERS = `bin dev etc etc/network home lib media mnt opt proc run sbin srv sys usr usr/bin usr/lib usr/local
  usr/local/bin usr/sbin var var/cache var/lib var/log var/mail var/opt var/run var/spool var/spool/mail var/www`

// Name, uid, gid, home, shell.
const USERS = [
  ['root', 0, 0, '/root', '/bin/sh'],
  ['daemon', 1, 1, '/usr/sbin', '/bin/false'],
  ['bin', 2, 2, '/bin', '/bin/false'],
  ['sys', 3, 3, '/dev', '/bin/false'],
  ['sync', 4, 100, '/bin', '/bin/sync'],
  ['mail', 8, 8, '/var/spool/mail', '/bin/false'],
  ['www-data', 33, 33, '/var/www', '/bin/false'],
  ['operator', 37, 37, '/var', '/bin/false'],
  ['nobody', 65534, 65534, '/home', '/bin/false'],
]

const GROUPS = {
  root: 0,
  daemon: 1,
  bin: 2,
  sys: 3,
  adm: 4,
  tty: 5,
  disk: 6,
  lp: 7,
  mail: 8,
  kmem: 9,
  wheel: 10,
  cdrom: 11,
  dialout: 18,
  floppy: 19,
  video: 28,
  audio: 29,
  tape: 32,
  'www-data': 33,
  operator: 37,
  utmp: 43,
  plugdev: 46,
  staff: 50,
  lock: 54,
  netdev: 82,
  users: 100,
  nobody: 65534,
}

/** The image's only layer, uncompressed; the same bytes for the same busybox. */
export function busyboxLayer(program, seconds) {
  const applets = capture(program, ['--list'])
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox')
  return tar(
    [
      ...FOLDERS.split(/\s+/).map((path) => ({ path, kind: 'folder', mode: 0o755 })),
      { path: 'root', kind: 'folder', mode: 0o700 },
      { path: 'tmp', kind: 'folder', mode: 0o1777 },
      { path: 'var/tmp', kind: 'folder', mode: 0o1777 },
      { path: 'bin/busybox', kind: 'file', mode: 0o755, data: readFileSync(program) },
      ...applets.sort().map((name) => ({ path: `bin/${name}`, kind: 'link', mode: 0o755, target: 'bin/busybox' })),
      { path: 'usr/bin/env', kind: 'symlink', mode: 0o777, target: '../../bin/env' },
      ...Object.entries(files()).map(([path, data]) => ({
        path,
        kind: 'file',
        mode: path === 'etc/shadow' ? 0o640 : 0o644,
        data,
      })),
    ],
    seconds,
  )
}

function files() {
  const lines = (rows) => rows.map((row) => `${row}\n`).join('')
  return {
    'etc/passwd': lines(
      USERS.map(([name, uid, gid, home, shell]) => `${name}:x:${uid}:${gid}:${name}:${home}:${shell}`),
    ),
    'etc/group': lines(Object.entries(GROUPS).map(([name, gid]) => `${name}:x:${gid}:`)),
    'etc/shadow': lines(USERS.map(([name]) => `${name}:*:10933:0:99999:7:::`)),
    'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
    'etc/os-release': 'NAME="BusyBox"\nID=busybox\nPRETTY_NAME="BusyBox"\n',
    'etc/profile': 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n',
  }
}
