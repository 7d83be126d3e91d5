import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExec } from './exec-routes.ts'

test("parseExec() takes what the docker client sends, '' and null for «not given»", () => {
  const body = {
    User: '',
    Privileged: false,
    Tty: false,
    AttachStdin: true,
    AttachStderr: true,
    AttachStdout: true,
    Detach: false,
    DetachKeys: '',
    Env: null,
    WorkingDir: '',
    Cmd: ['cat'],
  }
  assert.deepEqual(parseExec(body), {
    command: ['cat'],
    env: [],
    privileged: false,
    tty: false,
    stdin: true,
    stdout: true,
    stderr: true,
  })
  assert.deepEqual(
    parseExec({
      Cmd: 'ls',
      User: '1',
      WorkingDir: '/w',
      DetachKeys: 'ctrl-a',
      Env: ['A=b'],
      Tty: true,
      Privileged: true,
    }),
    {
      command: ['ls'],
      user: '1',
      workingDir: '/w',
      detachKeys: 'ctrl-a',
      env: ['A=b'],
      privileged: true,
      tty: true,
      stdin: false,
      stdout: false,
      stderr: false,
    },
  )
})

for (const [body, message] of [
  [undefined, /got EOF while reading request body/],
  [{}, 'No exec command specified'],
  [{ Cmd: [] }, 'No exec command specified'],
  [{ Cmd: ['x'], DetachKeys: 'foo' }, 'Invalid escape keys (foo) provided'],
  [{ Cmd: ['x'], Future: 1 }, 'exec: not yet carried out by mica (Future)'],
] as const) {
  test(`parseExec() refuses ${JSON.stringify(body)}`, () => {
    assert.throws(() => parseExec(body), { kind: 'invalid', message })
  })
}
