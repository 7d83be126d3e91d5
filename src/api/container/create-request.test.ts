import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseCreate } from './create-request.ts'
import { MASKED_PATHS, READONLY_PATHS } from './create-table.ts'

/** What docker CLI 28.2 sends for `docker run busybox echo hi`: every default it has. */
const PLAIN: unknown = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata/plain-run.json'), 'utf8'))

const create = (body: unknown) => parseCreate(body, { name: undefined, platform: undefined })
const host = (HostConfig: object) => create({ Image: 'x', HostConfig })

test("parseCreate() takes the docker client's plain run", () => {
  const request = create(PLAIN)
  assert.deepEqual(request.command, ['echo', 'hi'])
  assert.deepEqual(request.attach, { stdin: false, stdout: true, stderr: true })
  assert.deepEqual(
    [request.networkMode, request.env, request.mounts, request.volumes, request.entrypoint, request.hostname],
    ['bridge', [], [], [], undefined, undefined],
  )
})

test('parseCreate() takes the flags that are carried out', () => {
  const request = parseCreate(
    {
      Hostname: 'h',
      Domainname: 'd',
      User: '1:1',
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
      Env: ['A=b'],
      Cmd: 'sh',
      Image: 'x',
      WorkingDir: '/w',
      Entrypoint: [''],
      Labels: { a: 'b' },
      StopSignal: 'INT',
      StopTimeout: 0,
      ExposedPorts: { '80': {}, '53/udp': {} },
      Volumes: { '/anon': {} },
      Healthcheck: { Test: ['NONE'] },
      HostConfig: {
        NetworkMode: 'host',
        AutoRemove: true,
        CapAdd: ['NET_ADMIN'],
        CapDrop: ['ALL'],
        Privileged: true,
        ReadonlyRootfs: true,
        ShmSize: 1_048_576,
        Init: true,
        UsernsMode: 'host',
        ConsoleSize: [24, 80],
      },
    },
    { name: '/name', platform: undefined },
  )
  const { asGiven, ...rest } = request
  assert.deepEqual(asGiven.hostConfig['CapAdd'], ['NET_ADMIN'])
  assert.deepEqual(rest, {
    name: 'name',
    command: ['sh'],
    entrypoint: [''],
    user: '1:1',
    workingDir: '/w',
    stopSignal: 'INT',
    hostname: 'h',
    domainname: 'd',
    stopTimeout: 0,
    consoleSize: { rows: 24, columns: 80 },
    shmSize: 1_048_576,
    healthcheck: { Test: ['NONE'] },
    image: 'x',
    env: ['A=b'],
    labels: { a: 'b' },
    tty: true,
    openStdin: true,
    stdinOnce: true,
    attach: { stdin: true, stdout: false, stderr: false },
    exposedPorts: ['80/tcp', '53/udp'],
    volumes: ['/anon'],
    networkMode: 'host',
    mounts: [],
    networks: [],
    ports: [],
    publishAll: false,
    links: [],
    dns: { servers: [], search: [], options: [] },
    extraHosts: [],
    autoRemove: true,
    init: true,
    privileged: true,
    capAdd: ['NET_ADMIN'],
    capDrop: ['ALL'],
    readonlyRoot: true,
  })
})

const REFUSED: readonly (readonly [object, string])[] = [
  [{ Memory: 10 }, '--memory'],
  [{ NanoCpus: 1 }, '--cpus'],
  [{ MemorySwappiness: 0 }, '--memory-swappiness'],
  [{ MemorySwappiness: 60 }, '--memory-swappiness'],
  [{ OomKillDisable: true }, '--oom-kill-disable'],
  [{ PidsLimit: 5 }, '--pids-limit'],
  [{ RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } }, '--restart'],
  [{ IpcMode: 'host' }, '--ipc'],
  [{ PidMode: 'host' }, '--pid'],
  [{ UTSMode: 'host' }, '--uts'],
  [{ UsernsMode: 'private' }, '--userns'],
  [{ SecurityOpt: ['no-new-privileges'] }, '--security-opt'],
  [{ MaskedPaths: [] }, '--security-opt systempaths'],
  [{ ReadonlyPaths: ['/proc'] }, '--security-opt systempaths'],
  [{ Devices: [{ PathOnHost: '/dev/null' }] }, '--device'],
  [{ DeviceRequests: [{ Count: -1 }] }, '--gpus'],
  [{ Ulimits: [{ Name: 'nofile', Soft: 10, Hard: 10 }] }, '--ulimit'],
  [{ Sysctls: { a: '1' } }, '--sysctl'],
  [{ Annotations: { a: 'b' } }, '--annotation'],
  [{ GroupAdd: ['1'] }, '--group-add'],
  [{ NotInvented: 1 }, 'HostConfig.NotInvented'],
]

for (const [fragment, flag] of REFUSED) {
  test(`parseCreate() refuses ${JSON.stringify(fragment)} by its flag`, () => {
    const [member] = Object.keys(fragment)
    const message = `${flag}: not yet carried out by mica (HostConfig.${member})`
    assert.throws(() => host(fragment), { kind: 'invalid', message })
  })
}

test('parseCreate() refuses members of Config too, and names all at once', () => {
  assert.throws(() => create({ Image: 'x', Healthcheck: { Test: ['CMD', 'x'] } }), { message: /^--health-cmd: / })
  assert.throws(() => create({ Image: 'x', Shell: ['x'], Future: [1] }), { message: /^Shell, Config.Future: / })
})

test('parseCreate() takes back what inspect says of defaults', () => {
  host({
    MaskedPaths: MASKED_PATHS,
    ReadonlyPaths: READONLY_PATHS,
    PidsLimit: null,
    MemorySwappiness: null,
    LogConfig: { Type: 'json-file', Config: {} },
    IpcMode: 'private',
    ShmSize: 67_108_864,
    OomKillDisable: null,
    RestartPolicy: { Name: '', MaximumRetryCount: 0 },
    Isolation: 'default',
    VolumeDriver: 'local',
  })
})

test('parseCreate() reads keys in any case, as Go does', () => {
  const request = create({ image: 'x', cmd: ['a'], hostconfig: { networkmode: 'none', privileged: true } })
  assert.deepEqual([request.image, request.networkMode, request.privileged], ['x', 'none', true])
})

for (const [body, message] of [
  [undefined, 'invalid JSON: got EOF while reading request body'],
  [{}, 'config cannot be empty in order to create a container'],
  [{ Image: '' }, 'no command specified'],
  [{ Image: 'x', Env: ['A', '=b'] }, 'invalid environment variable: =b'],
  [{ Image: 'x', WorkingDir: 'a' }, "the working directory 'a' is invalid, it needs to be an absolute path"],
  [{ Image: 'x', ExposedPorts: { 'a/tcp': {} } }, 'invalid JSON: invalid port specification: "a/tcp"'],
] as const) {
  test(`parseCreate() refuses ${JSON.stringify(body)} in the words of Docker`, () => {
    assert.throws(() => create(body), { kind: 'invalid', message })
  })
}

test('parseCreate() takes ranges of ports that there are', () => {
  const ports = (...texts: readonly string[]) =>
    create({ Image: 'x', ExposedPorts: Object.fromEntries(texts.map((text) => [text, {}])) }).exposedPorts
  assert.deepEqual(ports('80-82', '1/sctp', '65535/udp'), ['80-82/tcp', '1/sctp', '65535/udp'])
  for (const text of ['65536', '82-80', '80/icmp', '-1', '1-99999/tcp'])
    assert.throws(() => ports(text), { kind: 'invalid' })
})

test('parseCreate() refuses a list, wrong types, and another platform', () => {
  assert.throws(() => create([]), { kind: 'invalid' })
  assert.throws(() => create({ Image: 'x', Tty: 'yes' }), { kind: 'invalid', message: /Tty/ })
  assert.throws(() => create({ Image: 'x', HostConfig: 5 }), { kind: 'invalid', message: /HostConfig/ })
  assert.throws(() => parseCreate({ Image: 'x' }, { name: undefined, platform: 'linux/s390x' }), {
    message: /^--platform: /,
  })
})

test('parseCreate() reads mounts of each kind', () => {
  const { mounts } = host({
    Binds: ['/a/../tmp:/t/:ro,rslave', 'vol:/v:nocopy', '/anon'],
    Tmpfs: { '/s': 'size=1m', '/e': '' },
    Mounts: [
      { Type: 'bind', Source: '/b', Target: '/m1', ReadOnly: true, BindOptions: { Propagation: 'shared' } },
      { Type: 'volume', Target: '/m2', VolumeOptions: { NoCopy: true, Labels: {} } },
      {
        Type: 'volume',
        Source: 'v',
        Target: '/m4',
        VolumeOptions: {
          Subpath: 'a/b',
          Labels: { l: '1' },
          DriverConfig: { Name: 'local', Options: { type: 'nfs' } },
        },
      },
      { Type: 'image', Source: 'busybox', Target: '/m5', ImageOptions: { Subpath: 'bin' } },
      {
        Type: 'bind',
        Source: '/c',
        Target: '/m6',
        BindOptions: { NonRecursive: true, ReadOnlyNonRecursive: true, CreateMountpoint: true },
      },
      { Type: 'tmpfs', Target: '/m3', TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } },
    ],
  })
  assert.deepEqual(mounts, [
    { kind: 'bind', source: '/tmp', target: '/t', readonly: true, createSource: true, propagation: 'rslave' },
    { kind: 'volume', source: 'vol', target: '/v', readonly: false, noCopy: true },
    { kind: 'volume', target: '/anon', readonly: false },
    { kind: 'bind', source: '/b', target: '/m1', readonly: true, propagation: 'shared' },
    { kind: 'volume', target: '/m2', readonly: false, noCopy: true },
    {
      kind: 'volume',
      source: 'v',
      target: '/m4',
      readonly: false,
      subpath: 'a/b',
      labels: { l: '1' },
      driver: 'local',
      driverOptions: { type: 'nfs' },
    },
    { kind: 'image', source: 'busybox', target: '/m5', readonly: true, subpath: 'bin' },
    {
      kind: 'bind',
      source: '/c',
      target: '/m6',
      readonly: false,
      createSource: true,
      nonRecursive: true,
      readonlyTopOnly: true,
    },
    { kind: 'tmpfs', target: '/m3', readonly: false, options: 'size=1024,mode=1777' },
    { kind: 'tmpfs', target: '/s', readonly: false, options: 'size=1m' },
    { kind: 'tmpfs', target: '/e', readonly: false },
  ])
})

for (const [bind, message] of [
  ['/tmp:/x:foo', 'invalid mode: foo'],
  ['/tmp:/x:ro,rw', 'invalid mode: ro,rw'],
  ['a:b:c:d', "invalid volume specification: 'a:b:c:d'"],
  [':/x', "invalid volume specification: ':/x'"],
  ['', "invalid volume specification: ''"],
  [
    '/tmp:x',
    `invalid volume specification: '/tmp:x': invalid mount config for type "bind": invalid mount path: 'x' mount path must be absolute`,
  ],
  [
    '/tmp:/',
    `invalid volume specification: '/tmp:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
  ],
  [
    '/tmp:/x:nocopy',
    `invalid volume specification: '/tmp:/x:nocopy': invalid mount config for type "bind": field VolumeOptions must not be specified`,
  ],
] as const) {
  test(`parseCreate() refuses -v «${bind}» in the words of Docker`, () => {
    assert.throws(() => host({ Binds: [bind] }), { kind: 'invalid', message })
  })
}

test('parseCreate() refuses two mounts at one place, and mounts that ask for more', () => {
  assert.throws(() => host({ Binds: ['/a:/x', '/b:/x/'] }), { message: 'Duplicate mount point: /x' })
  const mount = (value: object) => host({ Mounts: [value] })
  assert.throws(() => mount({ Type: 'foo', Target: '/x' }), { message: /mount type unknown$/ })
  assert.throws(() => mount({ Type: 'bind', Source: '', Target: '/x' }), { message: /field Source must not be empty$/ })
  assert.throws(() => mount({ Type: 'volume', Target: '' }), { message: /field Target must not be empty$/ })
})

for (const [mount, message] of [
  [
    { Type: 'bind', Source: '/a', Target: '/x', VolumeOptions: { NoCopy: true } },
    'VolumeOptions must not be specified on mount type "bind"',
  ],
  [
    { Type: 'volume', Target: '/x', VolumeOptions: { Subpath: 'a' } },
    'invalid mount config for type "volume": must not set Subpath when using anonymous volumes',
  ],
  [
    { Type: 'volume', Source: 'v', Target: '/x', VolumeOptions: { Subpath: 'a/../../b' } },
    'invalid mount config for type "volume": subpath must be a relative path within the volume',
  ],
  [
    { Type: 'bind', Source: '/a', Target: '/x', BindOptions: { Propagation: 'nosuch' } },
    'invalid mount config for type "bind": invalid propagation mode: nosuch',
  ],
  [{ Type: 'image', Target: '/x' }, 'invalid mount config for type "image": field Source must not be empty'],
  [
    { Type: 'tmpfs', Target: '/x', TmpfsOptions: { Options: [['nosuch']] } },
    'invalid mount config for type "tmpfs": invalid option: nosuch',
  ],
] as const) {
  test(`parseCreate() refuses the mount ${JSON.stringify(mount)} in the words of Docker`, () => {
    assert.throws(() => host({ Mounts: [mount] }), { kind: 'invalid', message })
  })
}

test('parseCreate() reads --volumes-from with its mode', () => {
  assert.deepEqual(host({ VolumesFrom: ['one', 'two:ro', 'three:z'] }).volumesFrom, [
    { container: 'one', readonly: false },
    { container: 'two', readonly: true },
    { container: 'three', readonly: false },
  ])
  assert.throws(() => host({ VolumesFrom: ['one:nosuch'] }), { message: 'invalid mode: nosuch' })
  assert.throws(() => host({ VolumesFrom: [''] }), { message: 'volumes-from specification cannot be an empty string' })
})

test('parseCreate() says of a mount what it lacks, and that memory is not less than none', () => {
  const mount = (given: object) => () => host({ Mounts: [given] })
  assert.throws(mount({ Type: 'bind' }), { message: /type "bind": field Target must not be empty$/ })
  assert.throws(mount({ Target: '/x' }), { message: /type "": mount type unknown$/ })
  assert.throws(() => host({ ShmSize: -1 }), { message: 'SHM size can not be less than 0' })
})
