import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startError } from './command-error.ts'

const root = mkdtempSync(join(tmpdir(), 'mica-command-'))
mkdirSync(join(root, 'folder'))
writeFileSync(join(root, 'file'), '')
test.after(() => rmSync(root, { recursive: true }))

const PREFIX =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: '

/** What crun and runc print, and what Docker's client is told. */
for (const [message, command, exitCode, text] of [
  [
    'executable file `nope` not found in $PATH: No such file or directory',
    'nope',
    127,
    'exec: "nope": executable file not found in $PATH',
  ],
  [
    'executable file `/x/y` not found in $PATH: No such file or directory',
    '/x/y',
    127,
    'exec: "/x/y": stat /x/y: no such file or directory',
  ],
  ['open executable: Operation not permitted', '/folder', 126, 'exec: "/folder": is a directory: permission denied'],
  ['open executable: Permission denied', '/file', 126, 'exec: "/file": permission denied'],
  [
    'open executable: Permission denied',
    '/file/x',
    127,
    'exec: "/file/x": stat /file/x: not a directory: Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type',
  ],
  ['open executable: Permission denied', '.', 127, 'exec: ".": executable file not found in $PATH'],
  ['open executable: Permission denied', `/${'x'.repeat(300)}`, 126, `exec: "/${'x'.repeat(300)}": permission denied`],
  [
    'chdir `/nodir`: No such file or directory',
    'true',
    127,
    'chdir to cwd ("/work") set in config.json failed: no such file or directory',
  ],
  [
    'time="2026" level=error msg="runc create failed: unable to start container process: exec: \\"nope\\": executable file not found in $PATH"',
    'nope',
    127,
    'exec: "nope": executable file not found in $PATH',
  ],
] as const)
  test(`startError() of ${message}`, () => {
    const error = startError('create', { root, command, cwd: '/work', message })
    assert.equal(error.message, `${PREFIX}${text}`)
    assert.deepEqual(error.details, { exitCode })
  })

test('startError() passes on what is no fault of the command', () => {
  const attempt = { root, command: 'true', cwd: '/', message: 'time="2026" level=error msg="no \\"space\\" left"' }
  const error = startError('exec', attempt)
  assert.deepEqual([error.message, error.kind], ['OCI runtime exec failed: no "space" left', 'internal'])
})

const MOUNTS = [
  { source: '/run/x/bind-1', named: '/host/folder', target: '/etc/hosts' },
  { source: '/run/x/bind-2', named: '/host/file', target: '/proc/no/such' },
  { source: '/run/x/bind-3', named: '/host/file', target: '/sys/none' },
]
const ADVICE =
  ': Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type'

for (const [message, text, exitCode] of [
  [
    'mount `/run/x/bind-1` to `etc/hosts`: Not a directory',
    `error mounting "/host/folder" to rootfs at "/etc/hosts": mount src=/host/folder, dst=/etc/hosts, flags=MS_BIND|MS_REC: not a directory${ADVICE}`,
    127,
  ],
  [
    `open \`${root}/proc/no\`: No such file or directory`,
    'error mounting "/host/file" to rootfs at "/proc/no/such": create mountpoint for /proc/no/such mount: make mountpoint "/proc/no": no such file or directory',
    127,
  ],
  [
    'mkdir `/sys/none`: No such file or directory',
    'error mounting "/host/file" to rootfs at "/sys/none": create mountpoint for /sys/none mount: make mountpoint "/sys/none": read-only file system',
    undefined,
  ],
  [
    'mkdir `/proc/no/such`: Operation not permitted',
    'error mounting "/host/file" to rootfs at "/proc/no/such": create mountpoint for /proc/no/such mount: make mountpoint "/proc/no/such": operation not permitted',
    undefined,
  ],
] as const)
  test(`startError() names the mount: ${message.replace(root, 'ROOT')}`, () => {
    const error = startError('create', { root, command: 'true', cwd: '/', message, mounts: MOUNTS })
    assert.deepEqual([error.message, error.details?.['exitCode']], [`${PREFIX}${text}`, exitCode])
  })

test('startError() does not take what crun did before for a fault of the command', () => {
  for (const message of ['failed open()ing /dev/null: Is a directory', 'mkdir `/x`: No such file or directory']) {
    const error = startError('create', { root, command: 'true', cwd: '/', message })
    const reason = message.includes('Is') ? message.replace('Is', 'is') : message.replace('No', 'no')
    assert.equal(error.message, `${PREFIX.replace(/: runc create failed.*/, '')}: ${reason}`)
  }
})

test('startError() of an exec says that a working folder begins with a slash', () => {
  const message = 'chdir `rel`: No such file or directory'
  const error = startError('exec', { root, command: 'true', cwd: 'rel', message })
  const words = 'OCI runtime exec failed: exec failed: Cwd must be an absolute path'
  assert.deepEqual([error.message, error.details], [words, { exitCode: 128 }])
})
