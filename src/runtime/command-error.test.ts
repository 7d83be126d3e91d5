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
