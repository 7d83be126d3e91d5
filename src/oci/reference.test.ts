import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { EngineError, isKind } from '#base'
import { parseDigest } from './digest.ts'
import {
  canonicalReference,
  familiarName,
  familiarReference,
  parseNamed,
  parseReference,
  withDefaultTag,
} from './reference.ts'
import type { Reference } from './types.ts'

const HEX = 'ab'.repeat(32)

const CASES = [
  ['alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
  ['alpine:3', 'docker.io/library/alpine:3', 'alpine:3'],
  ['user/app', 'docker.io/user/app:latest', 'user/app:latest'],
  ['library/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
  ['docker.io/alpine', 'docker.io/library/alpine:latest', 'alpine:latest'],
  ['index.docker.io/a/b', 'docker.io/a/b:latest', 'a/b:latest'],
  ['library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
  ['localhost/app', 'localhost/app:latest', 'localhost/app:latest'],
  ['localhost', 'docker.io/library/localhost:latest', 'localhost:latest'],
  ['localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x', 'localhost:5000/a/b/c:x'],
  ['[2001:db8::1]:5000/a', '[2001:db8::1]:5000/a:latest', '[2001:db8::1]:5000/a:latest'],
  ['[::1]/a', '[::1]/a:latest', '[::1]/a:latest'],
  ['HOST/a', 'HOST/a:latest', 'HOST/a:latest'],
  ['a.b/c', 'a.b/c:latest', 'a.b/c:latest'],
  ['x__y', 'docker.io/library/x__y:latest', 'x__y:latest'],
  ['x---y.z_0', 'docker.io/library/x---y.z_0:latest', 'x---y.z_0:latest'],
  [`alpine@sha256:${HEX}`, `docker.io/library/alpine@sha256:${HEX}`, `alpine@sha256:${HEX}`],
  [`a.b:1/c:t@sha256:${HEX}`, `a.b:1/c:t@sha256:${HEX}`, `a.b:1/c:t@sha256:${HEX}`],
  ['docker.io/a.b/c', 'docker.io/a.b/c:latest', 'docker.io/a.b/c:latest'],
  [`${HEX}:tag`, `docker.io/library/${HEX}:tag`, `${HEX}:tag`],
] as const

for (const [text, canonical, familiar] of CASES) {
  test(`parseReference() reads ${text}`, () => {
    const reference = parseReference(text)
    assert.equal(canonicalReference(reference), canonical)
    assert.equal(familiarReference(reference), familiar)
    assert.deepEqual(parseReference(familiar), reference)
  })
}

const REFUSED = [
  ['', 'invalid reference format'],
  ['Foo', 'invalid reference format: repository name (library/Foo) must be lowercase'],
  ['a/B', 'invalid reference format: repository name (a/B) must be lowercase'],
  ['aa.b/C:1', 'invalid reference format: repository name (C) must be lowercase'],
  ['x:', 'invalid reference format'],
  ['x@', 'invalid reference format'],
  ['a b', 'invalid reference format'],
  [':x', 'invalid reference format'],
  ['/x', 'invalid reference format'],
  ['x/', 'invalid reference format'],
  ['x//y', 'invalid reference format'],
  ['-x', 'invalid reference format'],
  ['x___y', 'invalid reference format'],
  ['x:é', 'invalid reference format'],
  ['a:b:c', 'invalid reference format'],
  ['../x', 'invalid reference format'],
  ['a/../b', 'invalid reference format'],
  [`x:${'t'.repeat(129)}`, 'invalid reference format'],
  ['[fe80::1%eth0]/a', 'invalid reference format'],
  ['a.b:port/c', 'invalid reference format'],
  ['-a.b/c', 'invalid reference format'],
  ['x\n', 'invalid reference format'],
  ['x:t\n', 'invalid reference format'],
  [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
  ['a'.repeat(260), 'repository name must not be more than 255 characters'],
  ['x@sha256:abc', 'invalid reference format'],
  [`x@sha256:${'a'.repeat(63)}`, 'invalid checksum digest length'],
  [`x@sha999:${'a'.repeat(64)}`, 'unsupported digest algorithm'],
  [`x@sha256:${'A'.repeat(64)}`, 'invalid checksum digest format'],
] as const

for (const [text, message] of REFUSED) {
  test(`parseReference() refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
    assert.throws(() => parseReference(text), { kind: 'invalid', message })
  })
}

test('parseNamed() leaves a bare name without tag', () => {
  assert.deepEqual(parseNamed('alpine'), { domain: 'docker.io', path: 'library/alpine' })
  assert.equal(familiarName(parseNamed('localhost:5000/x')), 'localhost:5000/x')
  assert.equal(withDefaultTag(parseNamed('alpine')).tag, 'latest')
})

const component = fc.stringMatching(/^[a-z0-9]{1,6}((\.|__?|-{1,3})[a-z0-9]{1,6}){0,2}$/)
const domain = fc.oneof(
  fc.constantFrom('docker.io', 'localhost', 'localhost:5000', '[::1]:80', 'HOST'),
  fc.stringMatching(/^[a-z0-9]{1,5}\.[a-z0-9]{1,5}(:[0-9]{1,5})?$/),
)
const references: fc.Arbitrary<Reference> = fc
  .record({
    domain,
    path: fc.array(component, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
    tag: fc.option(fc.stringMatching(/^\w[\w.-]{0,10}$/), { nil: undefined }),
    digest: fc.option(fc.constant(parseDigest(`sha256:${HEX}`)), { nil: undefined }),
  })
  .map(({ tag, digest, ...rest }) => ({ ...rest, ...(tag !== undefined && { tag }), ...(digest && { digest }) }))
  .filter((reference) => reference.domain !== 'docker.io' || reference.path.includes('/'))

test('a reference survives its canonical and its familiar form', () => {
  fc.assert(
    fc.property(references, (reference) => {
      assert.deepEqual(parseNamed(canonicalReference(reference)), reference)
      assert.deepEqual(parseNamed(familiarReference(reference)), reference)
    }),
  )
})

test('parseReference() throws nothing but invalid', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[a-zA-Z0-9:@/._[\]-]{0,40}$/))
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseReference(input)
      } catch (error) {
        assert.ok(error instanceof EngineError && isKind(error, 'invalid'))
      }
    }),
  )
})
