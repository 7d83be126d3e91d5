import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_VERSION, compareVersions, findVersion, negotiateVersion } from './version.ts'

test('negotiateVersion() takes the newest where none is said', () => {
  assert.deepEqual(negotiateVersion(undefined), findVersion(API_VERSION))
  assert.deepEqual(negotiateVersion('1.24'), { major: 1, minor: 24 })
})

test('negotiateVersion() refuses other versions in the words of Docker', () => {
  assert.throws(() => negotiateVersion('1.23'), {
    kind: 'invalid',
    message:
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
  })
  assert.throws(() => negotiateVersion('1'), { message: /^client version 1 is too old\./ })
  assert.throws(() => negotiateVersion('1.99'), {
    kind: 'invalid',
    message: `client version 1.99 is too new. Maximum supported API version is ${API_VERSION}`,
  })
  assert.throws(() => negotiateVersion('x'), { kind: 'invalid' })
})

test('compareVersions() compares numbers, not texts', () => {
  assert.ok(compareVersions({ major: 1, minor: 9 }, { major: 1, minor: 24 }) < 0)
  assert.ok(compareVersions({ major: 2, minor: 0 }, { major: 1, minor: 51 }) > 0)
})
