// The base image `debian`: mmdebstrap's minimal system out of the same archive that the host's apt uses, with
// the host's own sources and settings inside, so that `apt update && apt install` works in its containers.
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { capture, say, Stop, succeeds } from './run.mjs'

/** Settings of apt that say how the archive is reached; the host's other habits are its own. */
const CARRIED =
  /^Acquire::((http|https|ftp)(::.*)?::?(Proxy|Timeout|Verify-Peer|Verify-Host|CAInfo|Pipeline-Depth)\b|Check-Valid-Until|Check-Date|Retries|ForceIPv4|ForceIPv6)/i

// What an image wants of apt: no archives kept, no translations, small lists; and no services started.
const FOR_IMAGES = `Acquire::Languages "none";
Acquire::GzipIndexes "true";
APT::AutoRemove::SuggestsImportant "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb /var/cache/apt/*.bin || true"; };
`

/** Codename of the host's Debian and the sources that serve it. */
export function hostArchive() {
  const release = Object.fromEntries(
    readFileSync('/etc/os-release', 'utf8')
      .split('\n')
      .map((line) => line.split('='))
      .map(([key, value = '']) => [key, value.replaceAll('"', '')]),
  )
  const suite = release.VERSION_CODENAME
  const sources = sourceFiles().flatMap((file) => sourcesOf(file, suite))
  if (!suite || sources.length === 0) {
    throw new Stop(
      "the base image debian cannot be made: the sources of this machine's apt name no Debian release of its own",
    )
  }
  return { suite, version: release.VERSION_ID ?? suite, sources }
}

function sourceFiles() {
  const parts = '/etc/apt/sources.list.d'
  const listed = existsSync(parts)
    ? readdirSync(parts)
        .sort()
        .map((name) => join(parts, name))
    : []
  return ['/etc/apt/sources.list', ...listed].filter((file) => existsSync(file) && /\.(list|sources)$/.test(file))
}

/** Lines (.list) or stanzas (.sources) of one file that serve `suite` or its updates; each with its file's suffix. */
function sourcesOf(file, suite) {
  const text = readFileSync(file, 'utf8').replace(/^\s*#.*\n/gm, '')
  const one = file.endsWith('.list')
  const serves = new RegExp(`(^|\\s)${suite}(-updates|-security)?(/updates)?(\\s|$)`, 'm')
  const parts = one ? text.split('\n').filter((line) => /^deb\s/.test(line)) : text.split(/\n\s*\n/)
  return parts
    .filter((part) =>
      one ? serves.test(part) : serves.test(/^Suites:(.*)$/im.exec(part)?.[1] ?? '') && !/^Enabled:\s*no/im.test(part),
    )
    .map((part) => ({ suffix: one ? 'list' : 'sources', text: part.trim() }))
}

/** Everything that decides the image: a change makes it anew. */
export function debianRecipe() {
  const { suite, sources } = hostArchive()
  return JSON.stringify({ version: 3, suite, sources, settings: settings(), images: FOR_IMAGES })
}

/** Writes the root file system as a tar to `target`. */
export function makeDebian(target, seconds) {
  const { suite, sources } = hostArchive()
  say(`making the base image debian (${suite}) with mmdebstrap`)
  const folder = mkdtempSync(join(tmpdir(), 'mica-debian-'))
  try {
    chmodSync(folder, 0o755)
    const overlay = join(folder, 'overlay')
    writeSettings(overlay, sources)
    const made = `${target}.${process.pid}.tar`
    capture(
      'mmdebstrap',
      [
        '--quiet',
        '--mode=root',
        '--variant=minbase',
        ...includes(sources),
        '--aptopt=APT::Install-Recommends "false"',
        ...settings().map((line) => `--aptopt=${line.replace(/;$/, '')}`),
        '--dpkgopt=force-unsafe-io',
        `--customize-hook=rm -rf "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/* "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf "$1"/etc/hostname`,
        `--customize-hook=sync-in ${overlay} /`,
        '--customize-hook=rm -f "$1"/var/cache/apt/*.bin "$1"/var/log/apt/*.log "$1"/var/log/dpkg.log "$1"/var/log/alternatives.log',
        suite,
        made,
        ...sourceArguments(folder, sources),
      ],
      { env: { ...process.env, SOURCE_DATE_EPOCH: String(seconds), LC_ALL: 'C.UTF-8' } },
    )
    renameSync(made, target)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** What minbase lacks here: without usr-is-merged apt takes usrmerge and with it all of perl. */
function includes(sources) {
  const wanted = []
  if (succeeds('apt-cache', ['show', 'usr-is-merged'])) wanted.push('usr-is-merged')
  if (sources.some((source) => source.text.includes('https:'))) wanted.push('ca-certificates')
  return wanted.length > 0 ? [`--include=${wanted.join(',')}`] : []
}

function sourceArguments(folder, sources) {
  return ['list', 'sources'].flatMap((suffix) => {
    const chosen = sources.filter((source) => source.suffix === suffix)
    if (chosen.length === 0) return []
    const file = join(folder, `host.${suffix}`)
    writeFileSync(file, `${chosen.map((source) => source.text).join('\n\n')}\n`)
    return [file]
  })
}

function writeSettings(overlay, sources) {
  const put = (path, text, mode = 0o644) => {
    mkdirSync(dirname(join(overlay, path)), { recursive: true, mode: 0o755 })
    writeFileSync(join(overlay, path), text, { mode })
  }
  for (const suffix of ['list', 'sources']) {
    const texts = sources.filter((source) => source.suffix === suffix).map((source) => source.text)
    if (texts.length > 0)
      put(`etc/apt/sources.list.d/debian.${suffix}`, `${texts.join(suffix === 'list' ? '\n' : '\n\n')}\n`)
  }
  put('etc/apt/apt.conf.d/50container', FOR_IMAGES)
  if (settings().length > 0) put('etc/apt/apt.conf.d/60host', `${settings().join('\n')}\n`)
  put('usr/sbin/policy-rc.d', '#!/bin/sh\nexit 101\n', 0o755)
  for (const key of keyrings(sources)) {
    mkdirSync(dirname(join(overlay, key)), { recursive: true, mode: 0o755 })
    cpSync(key, join(overlay, key))
  }
}

/** Keyrings that the sources name and that Debian's own package would not bring. */
function keyrings(sources) {
  const named = sources.flatMap(({ text }) =>
    [...text.matchAll(/signed-by[:=]\s*(\/[^\s\]]+)/gi)].map((match) => match[1]),
  )
  return [...new Set(named)].filter(
    (path) => existsSync(path) && !path.startsWith('/usr/share/keyrings/debian-archive-'),
  )
}

function settings() {
  return capture('apt-config', ['dump'])
    .split('\n')
    .filter((line) => CARRIED.test(line) && !/ "";$/.test(line))
}
