import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseWords } from '#cli/kit'
import { checkNames, extraHosts, networking } from './networking.ts'
import { containerFlags } from './options.ts'

const flagsOf = (...words: readonly string[]) => parseWords(containerFlags, words, { leading: false }).flags
const read = (...words: readonly string[]) => networking(flagsOf(...words))

test('networking() gives --ip and its like to the first network', () => {
  assert.deepEqual(read(), { mode: 'default', config: { EndpointsConfig: { default: {} } } })
  assert.deepEqual(
    read(
      ...'--network one --network name=two,alias=a,alias=b,ip6=fd00::5,gw-priority=7,driver-opt=k=v'.split(' '),
      ...'--ip 10.0.0.5 --network-alias x --mac-address 02:42:00:00:00:01 --link db:sql'.split(' '),
    ),
    {
      mode: 'one',
      config: {
        EndpointsConfig: {
          one: {
            IPAMConfig: { IPv4Address: '10.0.0.5' },
            Links: ['db:sql'],
            Aliases: ['x'],
            MacAddress: '02:42:00:00:00:01',
          },
          two: {
            IPAMConfig: { IPv6Address: 'fd00::5' },
            Aliases: ['a', 'b'],
            DriverOpts: { k: 'v' },
            GwPriority: 7,
          },
        },
      },
    },
  )
})

for (const [words, message] of [
  [['--network', 'n', '--network', 'n'], 'network "n" is specified multiple times'],
  [
    ['--network', 'n', '--network', 'bridge'],
    'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
  ],
  [['--network-alias', 'x'], 'network-scoped aliases are only supported for user-defined networks'],
  [['--mac-address', 'zz'], 'zz is not a valid mac address'],
  [['--network', ''], 'no name set for network'],
  [
    ['--network', 'name=n,alias=a', '--network-alias', 'b'],
    'conflicting options: cannot specify both --network-alias and per-network alias',
  ],
  [['--network', 'name=n,no=1'], 'invalid argument "name=n,no=1" for "--network" flag: invalid field key no'],
  [['--network', 'alias=x'], 'invalid argument "alias=x" for "--network" flag: network name/id is not specified'],
  [
    ['--network', 'name=n,gw-priority=x'],
    'invalid argument "name=n,gw-priority=x" for "--network" flag: invalid gw-priority (x): invalid syntax',
  ],
] as const) {
  test(`networking() refuses ${words.join(' ')} in the words of Docker`, () => {
    assert.throws(() => read(...words), { message })
  })
}

test('checkNames() and extraHosts() refuse in the words of Docker', () => {
  for (const [words, message] of [
    [['--dns', 'x'], 'invalid argument "x" for "--dns" flag: IP address is not correctly formatted: x'],
    [['--dns-search', 'x y'], 'invalid argument "x y" for "--dns-search" flag: x y is not a valid domain'],
    [['--link', ''], 'invalid argument "" for "--link" flag: empty string specified for links'],
    [['--link', 'a:b:c'], 'invalid argument "a:b:c" for "--link" flag: bad format for links: a:b:c'],
  ] as const)
    assert.throws(() => checkNames(flagsOf(...words)), { message })
  checkNames(flagsOf('--dns-search', '.', '--dns-search', 'a.example', '--dns', '::1'))
  const hosts = (host: string) => extraHosts(flagsOf('--add-host', host)['add-host'])
  assert.deepEqual(
    [hosts('a=1.2.3.4'), hosts('b:::1'), hosts('c=[::2]'), hosts('d:host-gateway')],
    [['a:1.2.3.4'], ['b:::1'], ['c:::2'], ['d:host-gateway']],
  )
  assert.throws(() => hosts('x'), {
    message: 'invalid argument "x" for "--add-host" flag: bad format for add-host: "x"',
  })
  assert.throws(() => hosts('x:nosuch'), { message: /invalid IP address in add-host: "nosuch"/ })
})
