import assert from 'node:assert/strict'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { BulkReader, BulkWriter, type Pacer } from './bulk.ts'

/** Changes the way at each of these calls of `note`. */
function changing(...at: readonly number[]): Pacer & { readonly ways: string[] } {
  const ways: string[] = []
  let calls = 0
  let isSettled = false
  return {
    way: 'cached',
    ways,
    note() {
      ways.push(this.way)
      calls += 1
      return !isSettled && at.includes(calls)
    },
    settle: () => void (isSettled = true),
  }
}

function withFile(work: (path: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'mica-bulk-'))
  try {
    work(join(folder, 'file'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function bytesOf(size: number): Buffer {
  const bytes = Buffer.alloc(size)
  for (let at = 0; at + 4 <= size; at += 4096) bytes.writeUInt32LE(at, at)
  return bytes
}

const SIZES = [0, 1, 4096, (16 << 20) - 1, 16 << 20, (16 << 20) + 1, (24 << 20) + 4097]

test('BulkWriter and BulkReader keep all bytes, whichever way they go, and change it on the way', () => {
  for (const size of SIZES) {
    for (const changes of [[], [1], [1, 2], [2, 3]]) {
      withFile((path) => {
        const bytes = bytesOf(size)
        const fd = openSync(path, 'wx+')
        const writer = new BulkWriter(fd, changing(...changes))
        for (let at = 0; at < size; at += 999_983) writer.write(bytes.subarray(at, at + 999_983))
        writer.finish()
        closeSync(fd)
        assert.ok(readFileSync(path).equals(bytes), `${size} written, ${changes.join()}`)
        const from = openSync(path, 'r')
        const reader = new BulkReader(from, Buffer.alloc(1 << 18), changing(...changes))
        const chunks: Buffer[] = []
        for (let left = size; left > 0;) {
          const chunk = reader.next(left)
          assert.ok(chunk.length > 0)
          chunks.push(Buffer.from(chunk))
          left -= chunk.length
        }
        assert.equal(reader.next(1).length, 0)
        closeSync(from)
        assert.ok(Buffer.concat(chunks).equals(bytes), `${size} read, ${changes.join()}`)
      })
    }
  }
})

test('BulkReader gives nothing where a file has become shorter', () => {
  withFile((path) => {
    writeFileSync(path, 'abc')
    const fd = openSync(path, 'r')
    const reader = new BulkReader(fd, Buffer.alloc(8))
    assert.equal(reader.next(100).toString(), 'abc')
    assert.equal(reader.next(97).length, 0)
    closeSync(fd)
  })
})
