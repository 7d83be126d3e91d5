import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ContainerRecord } from '#engine'
import { containerJson, containerSummary, execJson, statusText } from './container-view.ts'
import { containerRecord } from './record.suite.ts'

const NOW = 1_700_000_100_000_000_000n
const AGO = NOW - 90_000_000_000n

const STATUSES: readonly (readonly [Partial<ContainerRecord>, string])[] = [
  [{ state: 'created' }, 'Created'],
  [{ state: 'running', startedAt: AGO }, 'Up About a minute'],
  [{ state: 'paused', startedAt: NOW }, 'Up Less than a second (Paused)'],
  [{ state: 'restarting', exitCode: 1, finishedAt: AGO }, 'Restarting (1) About a minute ago'],
  [{ state: 'exited', exitCode: 137, finishedAt: AGO }, 'Exited (137) About a minute ago'],
  [{ state: 'removing' }, 'Removal In Progress'],
  [{ state: 'dead' }, 'Dead'],
]

for (const [facts, text] of STATUSES) {
  test(`statusText() says «${text}»`, () => assert.equal(statusText(containerRecord(facts), NOW), text))
}

test('containerSummary() is a row of docker ps', () => {
  const endpoint = {
    id: 'e',
    network: 'bridge',
    networkId: 'n',
    container: 'c',
    address: '10.0.0.2',
    prefixLength: 16,
    gateway: '10.0.0.1',
    macAddress: '02:42:0a:00:00:02',
    aliases: [],
    links: [],
    dnsNames: [],
    gwPriority: 0,
    driverOptions: {},
  }
  const record = containerRecord(
    { state: 'running', startedAt: AGO, endpoints: [endpoint] },
    { ExposedPorts: { '80/tcp': {}, '90-91/udp': {} }, Labels: { a: 'b' } },
  )
  const row = containerSummary(record, { now: NOW, image: 'busybox', size: { writable: 1, total: 3 }, minor: 51 })
  assert.deepEqual(
    [row.Names, row.Command, row.Created, row.State, row.SizeRw, row.SizeRootFs, row.Labels],
    [['/web'], "sh -c 'echo 'x''", 1_700_000_000, 'running', 1, 3, { a: 'b' }],
  )
  assert.deepEqual(row.Ports, [
    { PrivatePort: 80, Type: 'tcp' },
    { PrivatePort: 90, Type: 'udp' },
    { PrivatePort: 91, Type: 'udp' },
  ])
  assert.equal(row.NetworkSettings.Networks['bridge']?.IPAddress, '10.0.0.2')
})

test('containerJson() shows defaults, what was asked for, and «never» for what did not happen', () => {
  const record = containerRecord({}, { HostConfig: { Privileged: true, ShmSize: 1024 }, StopSignal: 'INT' })
  const shown = containerJson(record, { runtime: 'crun', cgroups: 'v2', execs: [], minor: 51 })
  assert.deepEqual(
    [shown.Name, shown.State.StartedAt, shown.State.Running, shown.ExecIDs, shown.ResolvConfPath],
    ['/web', '0001-01-01T00:00:00Z', false, null, ''],
  )
  const { HostConfig, Config } = shown
  assert.deepEqual(
    [HostConfig['Privileged'], HostConfig['ShmSize'], HostConfig['MaskedPaths'], HostConfig['Runtime']],
    [true, 1024, null, 'crun'],
  )
  assert.deepEqual([HostConfig['NetworkMode'], HostConfig['Memory'], Config['StopSignal']], ['bridge', 0, 'INT'])
  assert.deepEqual(Object.keys(shown.NetworkSettings.Networks), ['bridge'])
})

test('execJson() takes the command apart', () => {
  const shown = execJson({
    id: 'x',
    container: 'c',
    request: {
      command: ['sh', '-c', 'exit 3'],
      env: [],
      privileged: false,
      tty: true,
      stdin: false,
      stdout: true,
      stderr: true,
    },
    running: true,
    pid: 7,
    exitCode: undefined,
  })
  assert.deepEqual(shown.ProcessConfig, {
    tty: true,
    entrypoint: 'sh',
    arguments: ['-c', 'exit 3'],
    privileged: false,
  })
  assert.deepEqual([shown.ExitCode, shown.Running, shown.Pid], [null, true, 7])
})

test('execJson() shows the keys as bytes in base64, as Go does', () => {
  const request = { command: ['sh'], env: [], privileged: false, tty: true, stdin: true, stdout: true, stderr: true }
  const record = { id: 'e', container: 'c', running: true, pid: 7, exitCode: undefined }
  assert.equal(execJson({ ...record, request }).DetachKeys, '')
  assert.equal(execJson({ ...record, request: { ...request, detachKeys: 'ctrl-a,b' } }).DetachKeys, 'AWI=')
})

test('containerJson() tells what was given empty from what was not given, where Docker does', () => {
  const show = (body: object) => {
    const { Config, HostConfig } = containerJson(containerRecord({}, { ...body }), {
      runtime: 'crun',
      cgroups: 'v2',
      execs: [],
      minor: 51,
    })
    const hidden = ['Annotations', 'Mounts', 'StorageOpt', 'Sysctls', 'Tmpfs'].filter((name) => name in HostConfig)
    return [Config.Env, Config.Entrypoint, Config.OnBuild, hidden]
  }
  const none = { Annotations: {}, Mounts: [], StorageOpt: {}, Sysctls: {}, Tmpfs: {} }
  assert.deepEqual(show({}), [null, null, null, []])
  assert.deepEqual(show({ Env: [], Entrypoint: [], OnBuild: [], HostConfig: none }), [null, [], [], []])
})
