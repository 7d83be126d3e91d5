import { invalid } from '#base'
import type { Descriptor, Platform } from './types.ts'

const COMPONENT = /^[A-Za-z0-9_.-]+$/
const SYSTEMS = new Set(['linux', 'windows', 'darwin', 'freebsd', 'wasip1'])

/** Other names of architectures, with the variant that the name implies. */
const ALIASES: Readonly<Record<string, { readonly architecture: string; readonly variant?: string }>> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  x64: { architecture: 'amd64' },
  i386: { architecture: '386' },
  ia32: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
  ppc64el: { architecture: 'ppc64le' },
}

const ARCHITECTURES = new Set([
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips64le',
  'ppc64le',
  'riscv64',
  's390x',
  'wasm',
])

/** Variants that are the rule of their architecture and therefore not written. */
const PLAIN_VARIANTS = new Set(['amd64/v1', 'arm64/v8', 'arm64/8'])

/** `os`, `arch`, `os/arch` or `os/arch/variant`; what is left out is the host's. Throws `invalid`. */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.split('/')
  if (parts.length > 3)
    throw invalid(`${JSON.stringify(text.slice(0, 100))}: cannot parse platform specifier: invalid argument`)
  if (!parts.every((part) => COMPONENT.test(part))) {
    throw invalid(`${JSON.stringify(text.slice(0, 100))} is an invalid platform: want os, os/arch or os/arch/variant`)
  }
  const [first = '', second, variant] = parts.map((part) => part.toLowerCase())
  if (second !== undefined) return platformOf(first, second, variant)
  if (SYSTEMS.has(first)) return { ...host, os: first }
  const alone = platformOf(host.os, first)
  if (ARCHITECTURES.has(alone.architecture)) return alone
  throw invalid(`${JSON.stringify(text)}: unknown operating system or architecture: invalid argument`)
}

/** `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return `${os}/${architecture}${variant === undefined ? '' : `/${variant}`}`
}

/** What this machine runs. */
export function hostPlatform(): Platform {
  const names: Readonly<Record<string, string>> = { arm: 'arm/v7', ppc64: 'ppc64le' }
  const [architecture = '', variant] = (names[process.arch] ?? process.arch).split('/')
  return platformOf('linux', architecture, variant)
}

/** True where an image for `offered` is one for `wanted`, exactly, once both are normalised. */
export function matchPlatform(wanted: Platform, offered: Platform): boolean {
  const [a, b] = [normalise(wanted), normalise(offered)]
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant
}

/**
 * The entry of an index for that platform: the exact one, else the nearest older variant that the same machine runs
 * (arm v7 runs v6; amd64 runs 386). An entry that names no platform is taken only where it is the only one.
 */
export function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  for (const candidate of candidates(wanted)) {
    const found = manifests.find(({ platform }) => platform !== undefined && matchPlatform(candidate, platform))
    if (found) return found
  }
  const [only] = manifests
  return manifests.length === 1 && only?.platform === undefined ? only : undefined
}

function candidates(wanted: Platform): readonly Platform[] {
  const { os, architecture, variant } = normalise(wanted)
  const older = (names: readonly string[]): Platform[] => names.map((name) => platformOf(os, architecture, name))
  if (architecture === 'arm') {
    const newest = Number((variant ?? 'v7').slice(1))
    return older(['v8', 'v7', 'v6', 'v5'].filter((name) => Number(name.slice(1)) <= newest))
  }
  if (architecture === 'amd64') {
    const newest = Number((variant ?? 'v1').slice(1))
    const levels = ['v4', 'v3', 'v2', 'v1'].filter((name) => Number(name.slice(1)) <= newest)
    return [...older(levels), { os, architecture: '386' }]
  }
  const plain: Platform = { os, architecture }
  return variant === undefined ? [plain] : [{ ...plain, variant }, plain]
}

function normalise({ os, architecture, variant }: Platform): Platform {
  return platformOf(os, architecture, variant)
}

function platformOf(os: string, architecture: string, variant?: string): Platform {
  const known = ALIASES[architecture] ?? { architecture }
  const given = variant === undefined || variant === '' ? known.variant : variant
  const implied = given ?? (known.architecture === 'arm' ? 'v7' : undefined)
  const spelled = implied !== undefined && /^\d/.test(implied) ? `v${implied}` : implied
  const plain = spelled === undefined || PLAIN_VARIANTS.has(`${known.architecture}/${spelled}`)
  return { os, architecture: known.architecture, ...(!plain && { variant: spelled }) }
}
