// What Debian has to give: packages that are installed, and programs that are only unpacked because
// Debian would start them as services (or because they would push another package out).
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { cache } from './place.mjs'
import { capture, say, Stop, which } from './run.mjs'

/** Program → the package that brings it. */
const INSTALLED = {
  runc: 'runc',
  crun: 'crun',
  conmon: 'conmon',
  nft: 'nftables',
  ip: 'iproute2',
  ps: 'procps',
  igzip: 'isal',
  zstd: 'zstd',
  xz: 'xz-utils',
  bzip2: 'bzip2',
  mmdebstrap: 'mmdebstrap',
  'tini-static': 'tini',
  unshare: 'util-linux',
  skopeo: 'skopeo',
}

/** Files, where the package brings no program of its own. */
const INSTALLED_FILES = { '/etc/ssl/certs/ca-certificates.crt': 'ca-certificates' }

/** What the tests alone want: a browser, and letters for it to draw. */
const FOR_TESTS = { 'chromium-headless-shell': 'chromium-headless-shell' }
const FILES_FOR_TESTS = { '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf': 'fonts-dejavu-core' }

/** What is unpacked into the cache: name → package and the program in it. */
const UNPACKED = {
  registry: { packages: ['docker-registry'], program: 'usr/bin/docker-registry' },
  busybox: { packages: ['busybox-static'], program: 'bin/busybox' },
  docker: { packages: ['docker-cli', 'docker.io'], program: 'usr/bin/docker' },
}

const LISTS = '/var/lib/apt/lists'
const LISTS_KEPT = 14 * 24 * 3600 * 1000
const QUIET = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' }

/** Installs the packages whose programs are not there; with `tests` those that the tests want too. */
export function installPackages({ tests = false } = {}) {
  const missing = missingPackages(tests)
  if (missing.length === 0) return
  needApt(missing)
  say(`installing ${missing.join(', ')}`)
  const install = () =>
    capture('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env: QUIET, input: '' })
  withoutServices(() => withLists(install))
  const still = missingPackages(tests)
  if (still.length > 0) throw new Stop(`apt-get installed ${still.join(', ')}, but its program is not on the path`)
}

function missingPackages(tests) {
  const wanted = { ...INSTALLED, ...(tests && FOR_TESTS) }
  const wantedFiles = { ...INSTALLED_FILES, ...(tests && FILES_FOR_TESTS) }
  const programs = Object.entries(wanted).filter(([program]) => which(program) === undefined)
  const files = Object.entries(wantedFiles).filter(([file]) => !existsSync(file))
  return [...programs, ...files].map(([, name]) => name)
}

/** Path of a program that is unpacked into the cache, fetched first where it is missing. */
export function unpackedProgram(name) {
  const { packages, program } = UNPACKED[name]
  const folder = join(cache, 'programs', name)
  const path = join(folder, program)
  if (existsSync(path)) return path
  needApt(packages)
  say(`unpacking ${packages.at(-1)}`)
  mkdirSync(dirname(folder), { recursive: true })
  const temporary = mkdtempSync(`${folder}.`)
  try {
    chmodSync(temporary, 0o755)
    withLists(() => unpackFirst(packages, temporary, program))
    // Another clone may have been faster: its folder is as good as this one.
    if (!existsSync(path)) {
      rmSync(folder, { recursive: true, force: true })
      renameSync(temporary, folder)
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
  return path
}

/** The first of the packages that has the program: a package was split between Debian's releases. */
function unpackFirst(packages, folder, program) {
  let failure
  for (const name of packages) {
    try {
      capture('apt-get', ['download', '-qq', name], { env: QUIET, cwd: folder })
      for (const file of readdirSync(folder).filter((entry) => entry.endsWith('.deb'))) {
        capture('dpkg-deb', ['-x', join(folder, file), folder])
        rmSync(join(folder, file))
      }
      if (existsSync(join(folder, program))) return
      failure = new Stop(`the package ${name} holds no ${program}`)
    } catch (error) {
      failure = error
    }
  }
  throw failure
}

/** Runs `act` with package lists: once with those that are there, if they are not too old, and again with new ones. */
function withLists(act) {
  if (listsAreThere()) {
    try {
      return act()
    } catch {
      // The lists may name versions that the archive no longer has.
    }
  }
  say('apt-get update')
  capture('apt-get', ['update', '-qq'], { env: QUIET })
  return act()
}

function listsAreThere() {
  try {
    const lists = readdirSync(LISTS).filter((name) => name.includes('_Packages'))
    return lists.length > 0 && lists.some((name) => Date.now() - statSync(join(LISTS, name)).mtimeMs < LISTS_KEPT)
  } catch {
    return false
  }
}

const POLICY = '/usr/sbin/policy-rc.d'

/** Forbids packages to start services while `act` runs, where the machine does not forbid it already. */
function withoutServices(act) {
  if (existsSync(POLICY)) return act()
  writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    return act()
  } finally {
    rmSync(POLICY, { force: true })
  }
}

function needApt(packages) {
  const names = packages.join(', ')
  if (which('apt-get') === undefined) {
    throw new Stop(`this machine has no apt-get: install ${names} with its own package manager and try again`)
  }
  if (process.getuid() !== 0) throw new Stop(`${names} must be installed, which takes root: run this as root once`)
}
