import assert from 'node:assert/strict'
import { closeSync, ftruncateSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { writeWithHoles } from './holes.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-holes-'))
after(() => rmSync(folder, { recursive: true }))

const part = fc.record({ zero: fc.boolean(), length: fc.oneof(fc.nat(20_000), fc.constantFrom(4096, 8192, 1, 4095)) })

test('writeWithHoles() of all chunks of a file gives the file, wherever it is cut', () => {
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.integer({ min: 1, max: 30_000 }), (parts, size) => {
      const bytes = Buffer.concat(parts.map(({ zero, length }) => Buffer.alloc(length, zero ? 0 : 'x')))
      const path = join(folder, 'file')
      const fd = openSync(path, 'w')
      let whole = true
      for (let at = 0; at < bytes.length; at += size) whole = writeWithHoles(fd, bytes.subarray(at, at + size), at)
      if (!whole) ftruncateSync(fd, bytes.length)
      closeSync(fd)
      assert(readFileSync(path).equals(bytes))
    }),
  )
})
