import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { chainId, chainIds, digestOf, hexOf, isDigest, parseDiffId, parseDigest } from './digest.ts'

const REFUSED = [
  ['', 'invalid checksum digest format: ""'],
  ['abc', 'invalid checksum digest format: "abc"'],
  ['sha256:', 'invalid checksum digest length'],
  [`sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
  [`sha256:${'g'.repeat(64)}`, 'invalid checksum digest format'],
  [`sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
  [`sha512:${'a'.repeat(128)}`, 'unsupported digest algorithm'],
  [`sha256:${'a'.repeat(64)}\n`, 'invalid checksum digest length'],
  ['sha256:../../../etc/passwd', 'invalid checksum digest length'],
] as const

for (const [text, message] of REFUSED) {
  test(`parseDigest() refuses ${JSON.stringify(text.slice(0, 20))} of ${text.length} characters`, () => {
    assert.throws(() => parseDigest(text), { kind: 'invalid', message })
    assert.equal(isDigest(text), false)
  })
}

test('digestOf() is the sha256 of the bytes', () => {
  assert.equal(digestOf(''), 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
  assert.equal(hexOf(digestOf('')).length, 64)
})

test('chainIds() follow the formula of the image specification', () => {
  const hex = fc.stringMatching(/^[0-9a-f]{64}$/)
  fc.assert(
    fc.property(fc.array(hex, { minLength: 1, maxLength: 8 }), (digits) => {
      const diffIds = digits.map((one) => parseDiffId(`sha256:${one}`))
      const sha = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`
      const formula = (ids: readonly string[]): string =>
        ids.length === 1 ? String(ids[0]) : sha(`${formula(ids.slice(0, -1))} ${ids.at(-1)}`)
      const chains = chainIds(diffIds)
      assert.deepEqual(
        chains,
        diffIds.map((_, index) => formula(diffIds.slice(0, index + 1))),
      )
      assert.equal(chainId(chains.at(-2), diffIds.at(-1)!), chains.at(-1))
    }),
  )
  assert.deepEqual(chainIds([]), [])
})
