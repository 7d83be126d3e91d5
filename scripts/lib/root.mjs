// A throw-away root that holds no more than a fresh machine does: Debian's minimal system, this machine's own Node
// and npm, its way to the packages, and a clone of the project; in namespaces of its own.
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { ensureImages } from './images.mjs'
import { project } from './place.mjs'
import { capture, pass, Stop, succeeds, which } from './run.mjs'

/** Where the clone lies inside. */
const INSIDE = '/project'

export async function withFreshRoot(act) {
  const folder = mkdtempSync('/var/tmp/mica-fresh-')
  const network = `mica-fresh-${process.pid}`
  // What is inside ends by itself on these; this script stays to clean up.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined)
  try {
    await fill(folder)
    joinNetwork(network)
    return await act((words) => runInside(folder, network, words))
  } finally {
    leaveNetwork(network)
    rmSync(folder, { recursive: true, force: true })
  }
}

async function fill(folder) {
  const debian = (await ensureImages()).find((image) => image.name === 'debian')
  capture('tar', ['-xpf', debian.root, '-C', folder, '--numeric-owner'])
  copyNode(folder)
  for (const file of ['/etc/resolv.conf', '/etc/hosts']) cpSync(realpathSync(file), join(folder, file))
  capture('git', ['clone', '--quiet', '--no-hardlinks', project, join(folder, INSIDE)])
}

/** The Node and npm that run this script, with what they load and how npm is set up. */
function copyNode(folder) {
  const node = realpathSync(process.execPath)
  const npm = dirname(dirname(realpathSync(which('npm'))))
  if (!existsSync(join(npm, 'bin/npm-cli.js'))) throw new Stop(`cannot find npm's own folder from ${which('npm')}`)
  const binaries = join(folder, 'usr/local/bin')
  cpSync(node, join(binaries, 'node'))
  cpSync(npm, join(folder, 'usr/local/lib/node_modules/npm'), { recursive: true })
  for (const name of ['npm', 'npx'])
    capture('ln', ['-s', `../lib/node_modules/npm/bin/${name}-cli.js`, join(binaries, name)])
  for (const library of libraries(node)) {
    if (existsSync(join(folder, library))) continue
    mkdirSync(dirname(join(folder, library)), { recursive: true })
    cpSync(realpathSync(library), join(folder, library))
  }
  if (trustedFile()) cpSync(realpathSync(trustedFile()), join(folder, AUTHORITIES))
  const settings = join(homedir(), '.npmrc')
  if (existsSync(settings)) cpSync(settings, join(folder, 'root/.npmrc'))
}

/** What this machine's environment says of its way to the packages: proxies, and the authorities it trusts besides. */
function wayOut() {
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|all|no)_proxy$/i.test(name))
  const trusted = trustedFile() ? { NODE_EXTRA_CA_CERTS: AUTHORITIES, npm_config_cafile: AUTHORITIES } : {}
  return { ...Object.fromEntries(proxies), ...trusted }
}

const AUTHORITIES = '/usr/local/share/host-authorities.crt'

function trustedFile() {
  const named = process.env.NODE_EXTRA_CA_CERTS ?? process.env.SSL_CERT_FILE
  return named && existsSync(named) ? named : undefined
}

function libraries(program) {
  return [...capture('ldd', [program]).matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1])
}

/** Its own mount, network, process and host name spaces; the script turns the folder into the root and becomes the command. */
function runInside(folder, network, words) {
  const enter = [
    `--net=/run/netns/${network}`,
    'unshare',
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--ipc',
    '--uts',
    '--propagation',
    'private',
  ]
  const env = {
    ...wayOut(),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    CI: 'true',
    LANG: 'C.UTF-8',
  }
  return pass('nsenter', [...enter, 'sh', '-c', ENTER, folder, INSIDE, ...words], { env })
}

const ENTER = `set -e
cd "$0"
mount --bind . .
cd "$0"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount --rbind /sys/fs/cgroup sys/fs/cgroup
rm -rf dev; mkdir -p dev
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mkdir -p .before
pivot_root . .before
umount -l /.before
rmdir /.before
cd "$1"
shift
exec "$@"`

/** A network namespace with a way out through this machine. */
function joinNetwork(name) {
  const { outside, inside, net, near, far } = addresses()
  capture('ip', ['netns', 'add', name])
  capture('ip', ['link', 'add', outside, 'type', 'veth', 'peer', 'name', inside, 'netns', name])
  capture('ip', ['address', 'add', `${near}/30`, 'dev', outside])
  capture('ip', ['link', 'set', outside, 'up'])
  const within = (...words) => capture('ip', ['-n', name, ...words])
  within('link', 'set', 'lo', 'up')
  within('address', 'add', `${far}/30`, 'dev', inside)
  within('link', 'set', inside, 'up')
  within('route', 'add', 'default', 'via', near)
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1\n')
  capture('nft', [
    `add table ip ${table()}; add chain ip ${table()} out { type nat hook postrouting priority 100; }; add rule ip ${table()} out ip saddr ${net} masquerade`,
  ])
  // Another engine's forward chain may drop what it does not know.
  if (hasForwardChain())
    capture('nft', [
      `insert rule ip filter FORWARD ip saddr ${net} counter accept; insert rule ip filter FORWARD ip daddr ${net} counter accept`,
    ])
}

function leaveNetwork(name) {
  const { outside, net } = addresses()
  succeeds('ip', ['link', 'delete', outside])
  succeeds('ip', ['netns', 'delete', name])
  succeeds('nft', [`delete table ip ${table()}`])
  if (!hasForwardChain()) return
  const rules = capture('nft', ['-a', 'list', 'chain', 'ip', 'filter', 'FORWARD']).split('\n')
  for (const rule of rules.filter((line) => line.includes(net))) {
    succeeds('nft', ['delete', 'rule', 'ip', 'filter', 'FORWARD', 'handle', /# handle (\d+)/.exec(rule)?.[1] ?? ''])
  }
}

const hasForwardChain = () => succeeds('nft', ['list', 'chain', 'ip', 'filter', 'FORWARD'])
const table = () => `mica_fresh_${process.pid}`

function addresses() {
  const third = process.pid % 256
  const start = `10.254.${third}`
  return { outside: `mf${process.pid}`, inside: 'eth0', net: `${start}.0/30`, near: `${start}.1`, far: `${start}.2` }
}
