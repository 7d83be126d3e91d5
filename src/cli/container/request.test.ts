import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseWords } from '#cli/kit'
import { containerFlags } from './options.ts'
import { containerRequest } from './request.ts'
import { parseBytes, parseRestart, parseUlimit } from './values.ts'

function request(
  text: string,
  env: Readonly<Record<string, string>> = {},
  cwd = '/here',
): Readonly<Record<string, unknown>> {
  const { flags, given, args } = parseWords(containerFlags, text.split(' '), { leading: true })
  const [image = '', ...command] = args
  return containerRequest({
    flags,
    given,
    image,
    command,
    attachment: { stdin: flags.interactive, stdout: true, stderr: true },
    env,
    cwd,
  })
}

const pick = (from: Readonly<Record<string, unknown>>, ...names: readonly string[]): object =>
  Object.fromEntries(names.map((name) => [name, from[name]]))

function hostConfig(text: string): Readonly<Record<string, unknown>> {
  const value = request(text)['HostConfig']
  assert.ok(typeof value === 'object' && value !== null)
  return { ...value }
}

test('containerRequest() leaves command and entrypoint to the image where none is given', () => {
  assert.deepEqual(pick(request('busybox'), 'Image', 'Cmd', 'Entrypoint', 'Env', 'Tty', 'OpenStdin'), {
    Image: 'busybox',
    Cmd: null,
    Entrypoint: null,
    Env: [],
    Tty: false,
    OpenStdin: false,
  })
  assert.deepEqual(pick(request('--entrypoint= busybox ls -l'), 'Cmd', 'Entrypoint'), {
    Cmd: ['ls', '-l'],
    Entrypoint: [''],
  })
})

test('containerRequest() carries streams, user, names and labels', () => {
  const body = request('-it -u 1:2 -h box -w /x -l a=b -l c busybox')
  assert.deepEqual(
    pick(body, 'Tty', 'OpenStdin', 'StdinOnce', 'AttachStdin', 'User', 'Hostname', 'WorkingDir', 'Labels'),
    {
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      User: '1:2',
      Hostname: 'box',
      WorkingDir: '/x',
      Labels: { a: 'b', c: '' },
    },
  )
})

test('containerRequest() takes values of variables from here, and from files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mica-env-'))
  try {
    writeFileSync(join(folder, 'env'), '# a comment\nA=1\n\nHOME\nNOSUCH\nB=two words\n')
    const env = request('--env-file env -e C=3 -e HOME -e GONE busybox', { HOME: '/root' }, folder)['Env']
    assert.deepEqual(env, ['A=1', 'HOME=/root', 'B=two words', 'C=3', 'HOME=/root', 'GONE'])
    writeFileSync(join(folder, 'bad'), 'a b=1\n')
    assert.throws(() => request('--env-file bad busybox', {}, folder), /variable 'a b' contains whitespaces/)
    assert.throws(() => request('--env-file nosuch busybox', {}, folder), /open nosuch: no such file or directory/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('containerRequest() tells binds from anonymous volumes and makes relative sources absolute', () => {
  assert.deepEqual(request('-v /data -v name:/x -v ./here:/y:ro busybox')['Volumes'], { '/data': {} })
  assert.deepEqual(hostConfig('-v /data -v name:/x -v ./src:/y:ro busybox')['Binds'], ['name:/x', '/here/src:/y:ro'])
})

test('containerRequest() fills HostConfig from flags', () => {
  const config = hostConfig(
    '--network host --rm --init --read-only --privileged --cap-add NET_ADMIN --cap-drop ALL --tmpfs /run:size=1m --tmpfs /tmp -m 64m busybox',
  )
  assert.deepEqual(
    pick(
      config,
      'NetworkMode',
      'AutoRemove',
      'Init',
      'ReadonlyRootfs',
      'Privileged',
      'CapAdd',
      'CapDrop',
      'Tmpfs',
      'Memory',
    ),
    {
      NetworkMode: 'host',
      AutoRemove: true,
      Init: true,
      ReadonlyRootfs: true,
      Privileged: true,
      CapAdd: ['NET_ADMIN'],
      CapDrop: ['ALL'],
      Tmpfs: { '/run': 'size=1m', '/tmp': '' },
      Memory: 64 * 1024 * 1024,
    },
  )
  assert.equal('Init' in hostConfig('busybox'), false)
})

test('parseBytes(), parseRestart() and parseUlimit() read docker values', () => {
  const sizes: readonly (readonly [string, number])[] = [
    ['5', 5],
    ['1k', 1024],
    ['1.5g', 1.5 * 2 ** 30],
    ['64MiB', 64 * 2 ** 20],
  ]
  for (const [text, bytes] of sizes) assert.equal(parseBytes('-m', text), bytes)
  assert.throws(() => parseBytes('-m', 'x'), /invalid size: 'x'/)
  assert.deepEqual(parseRestart('on-failure:3'), { Name: 'on-failure', MaximumRetryCount: 3 })
  assert.throws(() => parseRestart('always:x'), /maximum retry count must be an integer/)
  assert.deepEqual(parseUlimit('nofile=5'), { Name: 'nofile', Soft: 5, Hard: 5 })
  assert.throws(() => parseUlimit('x'), /invalid ulimit argument: x/)
})
