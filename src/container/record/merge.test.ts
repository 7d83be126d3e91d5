import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RunConfig } from '#oci'
import { mergeConfig, overlayEnv, processEnv } from './merge.ts'
import type { CreateRequest } from './types.ts'

const empty: CreateRequest = {
  image: 'x',
  env: [],
  labels: {},
  tty: false,
  openStdin: false,
  stdinOnce: false,
  attach: { stdin: false, stdout: true, stderr: true },
  exposedPorts: [],
  volumes: [],
  networkMode: 'none',
  networks: [],
  mounts: [],
  ports: [],
  publishAll: false,
  links: [],
  dns: { servers: [], search: [], options: [] },
  extraHosts: [],
  autoRemove: false,
  init: false,
  privileged: false,
  capAdd: [],
  capDrop: [],
  readonlyRoot: false,
  asGiven: { config: {}, hostConfig: {} },
}

const id = 'abcdef0123456789'
const merge = (request: Partial<CreateRequest>, image: RunConfig) => mergeConfig({ ...empty, ...request }, image, id)

for (const [what, request, image, path, args] of [
  ['the command of the image', {}, { Cmd: ['a', 'b'] }, 'a', ['b']],
  ['entrypoint and command of the image', {}, { Entrypoint: ['e'], Cmd: ['c'] }, 'e', ['c']],
  ['a command over that of the image', { command: ['x'] }, { Entrypoint: ['e'], Cmd: ['c'] }, 'e', ['x']],
  ['an entrypoint, which drops the command', { entrypoint: ['n'] }, { Entrypoint: ['e'], Cmd: ['c'] }, 'n', []],
  ['entrypoint and command', { entrypoint: ['n'], command: ['x'] }, { Entrypoint: ['e'], Cmd: ['c'] }, 'n', ['x']],
  ['an empty entrypoint', { entrypoint: [''], command: ['x', 'y'] }, { Entrypoint: ['e'] }, 'x', ['y']],
] as const)
  test(`mergeConfig() takes ${what}`, () => {
    const merged = merge(request, image)
    assert.deepEqual([merged.path, merged.args], [path, args])
  })

test('mergeConfig() refuses to run nothing', () =>
  assert.throws(() => merge({}, {}), { kind: 'invalid', message: 'no command specified' }))

test('mergeConfig() lays request over image, name by name', () => {
  const merged = merge(
    {
      command: ['x'],
      env: ['A=1'],
      labels: { a: 'own' },
      exposedPorts: ['1/tcp'],
      ports: [{ containerPort: 2, protocol: 'tcp' }],
    },
    {
      Env: ['A=0', 'B=2'],
      Labels: { a: 'image', b: 'image' },
      ExposedPorts: { '1/tcp': {}, '3/udp': {} },
      Volumes: { '/v': {} },
      User: 'u',
      WorkingDir: '/w',
      StopSignal: 'SIGINT',
    },
  )
  assert.deepEqual(merged.env, ['A=1', 'B=2'])
  assert.deepEqual(merged.labels, { a: 'own', b: 'image' })
  assert.deepEqual(merged.exposedPorts, ['1/tcp', '3/udp', '2/tcp'])
  assert.deepEqual(
    [merged.volumes, merged.user, merged.workingDir, merged.stopSignal, merged.hostname],
    [['/v'], 'u', '/w', 'SIGINT', 'abcdef012345'],
  )
})

test('processEnv() begins as Docker does; a bare name takes one away', () => {
  assert.deepEqual(processEnv({ hostname: 'h', terminal: true, links: [], env: ['X=1', 'TERM'] }), [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'HOSTNAME=h',
    'X=1',
  ])
})

test('overlayEnv() keeps the place of a name', () =>
  assert.deepEqual(overlayEnv(['A=1', 'B=2'], ['A=3=4', 'C=']), ['A=3=4', 'B=2', 'C=']))
