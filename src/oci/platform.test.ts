import assert from 'node:assert/strict'
import { test } from 'node:test'
import { digestOf } from './digest.ts'
import { choosePlatform, formatPlatform, hostPlatform, matchPlatform, parsePlatform } from './platform.ts'
import type { Descriptor } from './types.ts'

const HOST = { os: 'linux', architecture: 'amd64' }

const PARSED = [
  ['linux/amd64', 'linux/amd64'],
  ['linux/arm/v7', 'linux/arm/v7'],
  ['linux/arm', 'linux/arm/v7'],
  ['linux/arm/6', 'linux/arm/v6'],
  ['linux/armhf', 'linux/arm/v7'],
  ['linux/arm64/v8', 'linux/arm64'],
  ['linux/aarch64', 'linux/arm64'],
  ['LINUX/X86_64', 'linux/amd64'],
  ['linux/amd64/v3', 'linux/amd64/v3'],
  ['windows', 'windows/amd64'],
  ['arm64', 'linux/arm64'],
  ['linux', 'linux/amd64'],
] as const

for (const [text, formatted] of PARSED) {
  test(`parsePlatform() reads ${text}`, () => {
    const platform = parsePlatform(text, HOST)
    assert.equal(formatPlatform(platform), formatted)
    assert.deepEqual(parsePlatform(formatted, HOST), platform)
  })
}

for (const text of ['', '/', 'linux/', 'linux/amd64/v1/x', 'nonsense', 'linux/am d64', 'linux//v7']) {
  test(`parsePlatform() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => parsePlatform(text, HOST), { kind: 'invalid' })
  })
}

function entry(platform?: string): Descriptor {
  const base = { mediaType: 'm', digest: digestOf(platform ?? 'none'), size: 1 }
  return platform === undefined ? base : { ...base, platform: parsePlatform(platform, HOST) }
}

const CHOICES = [
  ['linux/amd64', ['linux/arm64', 'linux/amd64'], 'linux/amd64'],
  ['linux/amd64', ['linux/386'], 'linux/386'],
  ['linux/amd64', ['linux/arm64'], undefined],
  ['linux/amd64/v3', ['linux/amd64/v4', 'linux/amd64/v2', 'linux/amd64'], 'linux/amd64/v2'],
  ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 'linux/arm/v6'],
  ['linux/arm/v6', ['linux/arm/v7'], undefined],
  ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v8'], 'linux/arm64/v8'],
] as const

for (const [wanted, offered, chosen] of CHOICES) {
  test(`choosePlatform() for ${wanted} among ${offered.join(', ')} takes ${chosen}`, () => {
    const found = choosePlatform(
      offered.map((platform) => entry(platform)),
      parsePlatform(wanted, HOST),
    )
    assert.deepEqual(found, chosen === undefined ? undefined : entry(chosen))
  })
}

test('choosePlatform() takes an entry without platform only where it is alone', () => {
  assert.deepEqual(choosePlatform([entry()], HOST), entry())
  assert.equal(choosePlatform([entry(), entry()], HOST), undefined)
})

test('hostPlatform() is linux and matches itself', () => {
  assert.equal(hostPlatform().os, 'linux')
  assert.ok(matchPlatform(hostPlatform(), hostPlatform()))
})
