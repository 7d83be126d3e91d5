import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createDetachFilter, parseDetachKeys } from './detach-keys.ts'

for (const [text, keys] of [
  [undefined, [16, 17]],
  ['', [16, 17]],
  ['ctrl-a', [1]],
  ['ctrl-p,x', [16, 120]],
  ['ctrl-@,ctrl-[,ctrl-_', [0, 27, 31]],
  ['a,b,c', [97, 98, 99]],
] as const) {
  test(`parseDetachKeys() reads «${text}»`, () => assert.deepEqual(parseDetachKeys(text), keys))
}

for (const text of ['ctrl-', 'ctrl-1', 'ab', 'ctrl-A', 'a,,b', 'ä']) {
  test(`parseDetachKeys() refuses «${text}»`, () => {
    assert.throws(() => parseDetachKeys(text), { kind: 'invalid', message: `Invalid detach keys (${text}) provided` })
  })
}

/** All chunks through one filter: what came through, and whether it detached. */
function type(keys: readonly number[], ...chunks: readonly (readonly number[])[]) {
  const filter = createDetachFilter(keys)
  const passed: number[] = []
  for (const chunk of chunks) {
    const { bytes, detached } = filter(Uint8Array.from(chunk))
    passed.push(...bytes)
    if (detached) return { passed, detached }
  }
  return { passed, detached: false }
}

test('the filter finds the keys in one chunk and over two, and lets what came before through', () => {
  assert.deepEqual(type([16, 17], [97, 16, 17, 98]), { passed: [97], detached: true })
  assert.deepEqual(type([16, 17], [97, 16], [17]), { passed: [97], detached: true })
})

test('the filter lets a beginning that was none through, once it is known', () => {
  assert.deepEqual(type([16, 17], [16], [97]), { passed: [16, 97], detached: false })
  assert.deepEqual(type([16, 17], [16, 16, 17]), { passed: [16], detached: true })
})

test('the filter finds keys that begin inside a failed beginning', () => {
  assert.deepEqual(type([1, 1, 2], [1, 1, 1, 2]), { passed: [1], detached: true })
})

test('the filter neither loses nor makes bytes, and detaches exactly where the keys are', () => {
  const byte = fc.integer({ min: 1, max: 3 })
  const keys = fc.array(byte, { minLength: 1, maxLength: 4 })
  const chunks = fc.array(fc.array(byte, { maxLength: 6 }), { maxLength: 6 })
  fc.assert(
    fc.property(keys, chunks, (wanted, typed) => {
      const all = typed.flat()
      const at = all.findIndex((_, index) => wanted.every((key, offset) => all[index + offset] === key))
      const { passed, detached } = type(wanted, ...typed)
      assert.equal(detached, at >= 0)
      assert.deepEqual(passed, at >= 0 ? all.slice(0, at) : all.slice(0, passed.length))
      if (at < 0) assert.ok(all.length - passed.length < wanted.length)
    }),
  )
})
