import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type DnsFacts, type Reach, resolverText } from './resolver-file.ts'

const NONE: DnsFacts = { servers: [], search: [], options: [] }
const HOST = '# a remark\nnameserver 10.0.0.1\nsearch corp.example\noptions edns0 trust-ad\nsortlist 10.0.0.0/8\n'

const cases: readonly (readonly [string, string, Partial<DnsFacts>, Reach, string])[] = [
  [
    'keeps reachable servers',
    HOST,
    {},
    'own',
    `nameserver 10.0.0.1|search corp.example|options edns0 trust-ad|sortlist 10.0.0.0/8||# Based on host file: '/etc/resolv.conf' (legacy)|# Overrides: []`,
  ],
  [
    'takes the resolver of the host itself away',
    'nameserver 127.0.0.53\nnameserver 9.9.9.9\n',
    {},
    'own',
    `nameserver 9.9.9.9||# Based on host file: '/etc/resolv.conf' (legacy)|# Overrides: []`,
  ],
  [
    'has servers where none is left',
    'nameserver ::1\n',
    {},
    'own',
    `nameserver 8.8.8.8|nameserver 8.8.4.4||# Based on host file: '/etc/resolv.conf' (legacy)|# Used default nameservers.|# Overrides: []`,
  ],
  [
    "has the host's own in its network",
    'nameserver 127.0.0.53\n',
    {},
    'host',
    `nameserver 127.0.0.53||# Based on host file: '/etc/resolv.conf'|# Overrides: []`,
  ],
  [
    'names the resolver of containers, and who is behind it',
    HOST,
    {},
    'internal',
    `nameserver 127.0.0.11|search corp.example|options edns0 trust-ad ndots:0|sortlist 10.0.0.0/8||# Based on host file: '/etc/resolv.conf' (internal resolver)|# ExtServers: [host(10.0.0.1)]|# Overrides: []|# Option ndots from: internal`,
  ],
  [
    'puts what was asked for over the host',
    HOST,
    { servers: ['1.1.1.1', '9.9.9.9'], search: ['a.b', 'c.d'], options: ['ndots:3', 'timeout:1'] },
    'internal',
    `nameserver 127.0.0.11|search a.b c.d|options ndots:3 timeout:1|sortlist 10.0.0.0/8||# Based on host file: '/etc/resolv.conf' (internal resolver)|# ExtServers: [1.1.1.1 9.9.9.9]|# Overrides: [nameservers search options]|# Option ndots from: override`,
  ],
  [
    'has no search domain for a dot',
    HOST,
    { search: ['.'] },
    'own',
    `nameserver 10.0.0.1|options edns0 trust-ad|sortlist 10.0.0.0/8||# Based on host file: '/etc/resolv.conf' (legacy)|# Overrides: [search]`,
  ],
  [
    'takes a server on the loopback that was asked for',
    HOST,
    { servers: ['127.0.0.1'], options: ['ndots:2'] },
    'own',
    `nameserver 127.0.0.1|search corp.example|options ndots:2|sortlist 10.0.0.0/8||# Based on host file: '/etc/resolv.conf' (legacy)|# Overrides: [nameservers options]|# Option ndots from: override`,
  ],
]

for (const [what, host, asked, reach, expected] of cases)
  test(`resolverText() ${what}`, () => {
    const [, blank, ...lines] = resolverText(host, { ...NONE, ...asked }, reach).split('\n')
    assert.equal(blank, '')
    assert.deepEqual(lines, [...expected.split('|'), ''])
  })
