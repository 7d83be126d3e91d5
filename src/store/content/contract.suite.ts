import type { Bytes } from '#base'
import { collect, isKind } from '#base'
import { digestOf } from '#oci'
import type { Lease } from '#store/lease'
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { ContentStore } from './types.ts'

/** What every content store must do; `open` gives a fresh one and a lease. */
export function contentStoreContract(open: () => Promise<{ content: ContentStore; lease: Lease }>): void {
  const text = (bytes: Bytes): Promise<string> => collect(bytes).then(String)
  const hello = { digest: digestOf('hello world'), size: 11 }

  test('put() keeps small bytes and answers their digest, twice the same', async () => {
    const { content, lease } = await open()
    assert.deepEqual(await content.put(Buffer.from('hello world'), lease), hello)
    assert.deepEqual(await content.put(Buffer.from('hello world'), lease), hello)
    assert.deepEqual(await content.find(hello.digest), hello)
    assert.deepEqual(await content.list(), [hello])
    assert.equal(await text(content.read(hello.digest)), 'hello world')
  })

  test('read() gives a range, cut at the end', async () => {
    const { content, lease } = await open()
    await content.put(Buffer.from('hello world'), lease)
    assert.equal(await text(content.read(hello.digest, { start: 6 })), 'world')
    assert.equal(await text(content.read(hello.digest, { start: 2, end: 5 })), 'llo')
    assert.equal(await text(content.read(hello.digest, { start: 9, end: 99 })), 'ld')
    assert.equal(await text(content.read(hello.digest, { start: 11 })), '')
  })

  test('an absent blob is found as undefined, read and path throw not-found', async () => {
    const { content } = await open()
    assert.equal(await content.find(hello.digest), undefined)
    await assert.rejects(collect(content.read(hello.digest)), (error) => isKind(error, 'not-found'))
    await assert.rejects(content.path(hello.digest), (error) => isKind(error, 'not-found'))
  })

  test('an ingest becomes a blob by commit, and only then', async () => {
    const { content, lease } = await open()
    await using ingest = await content.begin('layer', lease)
    await ingest.write(Buffer.from('hello '))
    assert.equal(ingest.offset, 6)
    await ingest.write(Buffer.from('world'))
    assert.equal(await content.find(hello.digest), undefined)
    assert.deepEqual(await ingest.commit(hello), hello)
    assert.equal(await text(content.read(hello.digest)), 'hello world')
  })

  test('an ingest without bytes commits the empty blob', async () => {
    const { content, lease } = await open()
    await using ingest = await content.begin('empty', lease)
    assert.deepEqual(await ingest.commit(), { digest: digestOf(''), size: 0 })
    assert.equal(await text(content.read(digestOf(''))), '')
  })

  test('the same key goes on after an interruption', async () => {
    const { content, lease } = await open()
    {
      await using ingest = await content.begin('layer', lease)
      await ingest.write(Buffer.from('hello '))
    }
    await using ingest = await content.begin('layer', lease)
    assert.equal(ingest.offset, 6)
    await ingest.write(Buffer.from('world'))
    assert.deepEqual(await ingest.commit(hello), hello)
  })

  test('reset() begins again at 0', async () => {
    const { content, lease } = await open()
    await using ingest = await content.begin('layer', lease)
    await ingest.write(Buffer.from('not what was expected, and longer'))
    await ingest.reset()
    assert.equal(ingest.offset, 0)
    await ingest.write(Buffer.from('hello world'))
    assert.deepEqual(await ingest.commit(hello), hello)
  })

  test('an ingest that is not to be resumed leaves nothing', async () => {
    const { content, lease } = await open()
    {
      await using ingest = await content.begin('pack', lease, { resume: false })
      await ingest.write(Buffer.from('half'))
    }
    await using ingest = await content.begin('pack', lease)
    assert.equal(ingest.offset, 0)
  })

  test('begin() of a key that is being written is a conflict', async () => {
    const { content, lease } = await open()
    {
      await using ingest = await content.begin('layer', lease)
      await assert.rejects(content.begin('layer', lease), (error) => isKind(error, 'conflict'))
      await using other = await content.begin('other', lease)
      assert.notEqual(other.path, ingest.path)
    }
    await using again = await content.begin('layer', lease)
    assert.equal(again.offset, 0)
  })

  const wrong = [
    { name: 'digest', expected: { digest: digestOf('other'), size: 11 } },
    { name: 'size', expected: { digest: hello.digest, size: 12 } },
  ]
  for (const { name, expected } of wrong) {
    test(`commit() of a wrong ${name} is corrupt and keeps nothing`, async () => {
      const { content, lease } = await open()
      {
        await using ingest = await content.begin('layer', lease)
        await ingest.write(Buffer.from('hello world'))
        await assert.rejects(ingest.commit(expected), (error) => isKind(error, 'corrupt'))
      }
      assert.deepEqual(await content.list(), [])
      await using again = await content.begin('layer', lease)
      assert.equal(again.offset, 0)
    })
  }

  test('commit() hashes a file that a job has written itself', async () => {
    const { content, lease } = await open()
    await using ingest = await content.begin('pack', lease)
    writeFileSync(ingest.path, 'hello world')
    assert.deepEqual(await ingest.commit(), hello)
    assert.equal(await text(content.read(hello.digest)), 'hello world')
  })
}
