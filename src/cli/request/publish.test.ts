import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseExpose, parsePublish } from './publish.ts'

test('parsePublish() reads ports, addresses, ranges and the long form', () => {
  const flags = [
    ...'80 8080:80/udp 127.0.0.1:1000-1001:2000-2001 [::1]::5 ::1:6:6 90-95:91/SCTP'.split(' '),
    'target=7,published=8,protocol=udp',
  ]
  assert.deepEqual(parsePublish(flags), {
    '80/tcp': [{ HostIp: '', HostPort: '' }],
    '80/udp': [{ HostIp: '', HostPort: '8080' }],
    '2000/tcp': [{ HostIp: '127.0.0.1', HostPort: '1000' }],
    '2001/tcp': [{ HostIp: '127.0.0.1', HostPort: '1001' }],
    '5/tcp': [{ HostIp: '::1', HostPort: '' }],
    '6/tcp': [{ HostIp: '::1', HostPort: '6' }],
    '91/sctp': [{ HostIp: '', HostPort: '90-95' }],
    '7/udp': [{ HostIp: '', HostPort: '8' }],
  })
})

for (const [flag, message] of [
  ['x', 'invalid containerPort: x'],
  ['80:x', 'invalid containerPort: x'],
  ['x:80', 'invalid hostPort: x'],
  ['80:80/foo', 'invalid proto: foo'],
  ['70000', 'invalid containerPort: 70000'],
  ['80-81:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 80-81'],
  ['82-81:82-81', 'invalid containerPort: 82-81'],
  ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
  ['localhost:80:80', 'invalid IP address: localhost'],
  ['[::1:80:80', "invalid IP address [::1: address [::1:: missing ']' in address"],
  ['', 'no port specified: <empty>'],
  ['80:', 'no port specified: 80:<empty>'],
  ['published=80,target', "invalid publish opts format (should be name=value but got 'target')"],
] as const) {
  test(`parsePublish() refuses «${flag}» in the words of Docker`, () => {
    assert.throws(() => parsePublish([flag]), { kind: 'invalid', message })
  })
}

test('parseExpose() reads ports and ranges, and refuses others in the words of Docker', () => {
  assert.deepEqual(parseExpose(['80', '90-91/udp']), ['80/tcp', '90/udp', '91/udp'])
  for (const [flag, message] of [
    ['x', 'invalid range format for --expose: x, error: strconv.ParseUint: parsing "x": invalid syntax'],
    ['1:2', 'invalid port format for --expose: 1:2'],
    ['90-80', 'invalid range format for --expose: 90-80, error: invalid range specified for port: 90-80'],
  ] as const)
    assert.throws(() => parseExpose([flag]), { message })
})
