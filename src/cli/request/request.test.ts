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
    Env: null,
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
    const bytes = Buffer.concat([Buffer.from('\uFEFFA=1\r\n# ä\nB='), Buffer.from([255, 10])])
    writeFileSync(join(folder, 'bytes'), bytes.subarray(0, -2))
    assert.deepEqual(request('--env-file bytes busybox', {}, folder)['Env'], ['A=1', 'B='])
    writeFileSync(join(folder, 'bytes'), bytes)
    assert.throws(
      () => request('--env-file bytes busybox', {}, folder),
      /\(bytes\): invalid utf8 bytes at line 3: \[66 61 255\]$/,
    )
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
      CapAdd: ['CAP_NET_ADMIN'],
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

test('what a container may use, and what it may not: as the API takes it', () => {
  const table: readonly (readonly [string, Record<string, unknown>])[] = [
    ['--cpus 1.5', { NanoCpus: 1_500_000_000 }],
    ['-c 5 --cpu-period 6 --cpu-quota 7', { CpuShares: 5, CpuPeriod: 6, CpuQuota: 7 }],
    ['--memory-swap -1 --memory-reservation 1m', { MemorySwap: -1, MemoryReservation: 1 << 20 }],
    ['--blkio-weight-device /dev/sda:20', { BlkioWeightDevice: [{ Path: '/dev/sda', Weight: 20 }] }],
    ['--device-read-bps /dev/sda:1mb', { BlkioDeviceReadBps: [{ Path: '/dev/sda', Rate: 1 << 20 }] }],
    ['--device-write-iops /dev/sda:9', { BlkioDeviceWriteIOps: [{ Path: '/dev/sda', Rate: 9 }] }],
    ['--ulimit nofile=1:2', { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 2 }] }],
    ['--security-opt no-new-privileges', { SecurityOpt: ['no-new-privileges'] }],
    ['--security-opt systempaths=unconfined', { SecurityOpt: null, MaskedPaths: [], ReadonlyPaths: [] }],
    ['--cap-add sys_time --cap-add CAP_CHOWN --cap-add all', { CapAdd: ['ALL', 'CAP_CHOWN', 'CAP_SYS_TIME'] }],
    ['--gpus all', { DeviceRequests: [{ Options: {}, Capabilities: [['gpu']], Count: -1 }] }],
    [
      '--device vendor.com/gpu=0',
      { Devices: [], DeviceRequests: [{ Driver: 'cdi', DeviceIDs: ['vendor.com/gpu=0'] }] },
    ],
    [
      '--device /dev/null:/dev/x:r',
      { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/x', CgroupPermissions: 'r' }] },
    ],
    [
      '--device /dev/null:rw',
      { Devices: [{ PathOnHost: '/dev/null', PathInContainer: '/dev/null', CgroupPermissions: 'rw' }] },
    ],
    ['--annotation a=b --storage-opt size=1', { Annotations: { a: 'b' }, StorageOpt: { size: '1' } }],
    ['--pid host --uts host --userns host --cgroupns private', { PidMode: 'host', CgroupnsMode: 'private' }],
  ]
  for (const [words, expected] of table)
    assert.deepEqual(pick(hostConfig(`${words} busybox`), ...Object.keys(expected)), expected, words)
  assert.deepEqual(request('--health-interval 1m30s --health-cmd true --health-retries 2 busybox')['Healthcheck'], {
    Test: ['CMD-SHELL', 'true'],
    Interval: 90_000_000_000,
    Retries: 2,
  })
  assert.deepEqual(request('--no-healthcheck busybox')['Healthcheck'], { Test: ['NONE'] })
})

test('values that mean nothing are refused in the words of docker', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['-m 1x', /"1x" for "-m, --memory" flag: invalid suffix: 'x'$/],
    ['-m 1.2.3', /strconv.ParseFloat: parsing "1.2.3": invalid syntax$/],
    ['--cpus x', /failed to parse x as a rational number$/],
    ['--cpus 0.0000000001', /value is too precise$/],
    ['--memory-swappiness 101', /^invalid value: 101. Valid memory swappiness range is 0-100$/],
    ['--blkio-weight-device sda:20', /bad format for device path: sda:20$/],
    ['--blkio-weight-device /dev/sda:5', /invalid weight for device: \/dev\/sda:5$/],
    ['--device-read-bps /dev/sda:x', /invalid rate for device: .* Unit is optional and can be kb, mb, or gb$/],
    ['--device-read-iops /dev/sda:1k', /The correct format is <device-path>:<number>. Number must be/],
    ['--ulimit nosuch=1', /invalid ulimit type: nosuch$/],
    ['--ulimit nofile=-1:5', /less than or equal to hard limit: soft: -1 \(unlimited\), hard: 5$/],
    ['--device x', /^x is not an absolute path$/],
    ['--device /a:/b:c:d', /^bad format for path: \/a:\/b:c:d$/],
    ['--gpus a=1', /unexpected key 'a' in 'a=1'$/],
    ['--pid container:', /^--pid: invalid PID mode$/],
    ['--security-opt label', /^Invalid --security-opt: "label"$/],
    ['--sysctl vm.x=1', /sysctl 'vm.x=1' is not allowed$/],
    ['--health-timeout 5', /"--health-timeout" flag: time: missing unit in duration "5"$/],
    ['--health-timeout 5x', /time: unknown unit "x" in duration "5x"$/],
    ['--health-interval -5s', /^--health-interval cannot be negative$/],
    ['--health-cmd x --no-healthcheck', /^--no-healthcheck conflicts with --health-\* options$/],
    ['--restart :3', /^invalid restart policy format: no policy provided before colon$/],
    ['--storage-opt x', /^invalid storage option$/],
    ['--use-api-socket', /not yet carried out by mica$/],
    ['--disable-content-trust=false', /not yet carried out by mica$/],
  ]
  for (const [words, message] of table) assert.throws(() => request(`${words} busybox`), { message }, words)
})
