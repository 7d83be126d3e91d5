import { EngineError, type Bytes, bytesOf, collect } from '#base'
import fc from 'fast-check'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import { compress, decompress, detectCompression, nameOfText, readTar, writeTar } from './index.ts'
import { TarReader } from './reader.ts'
import type { TarSource } from './stream.ts'
import type { TarEntry } from './types.ts'
import { TarWriter } from './writer.ts'

type Read = Omit<TarEntry, 'xattrs'> & { readonly xattrs: Record<string, string>; readonly bytes: string }

async function readAll(bytes: Bytes): Promise<Read[]> {
  const found: Read[] = []
  for await (const { body, xattrs, ...entry } of readTar(bytes)) {
    const texts = [...xattrs].map(([name, value]) => [name, Buffer.from(value).toString('latin1')])
    found.push({ ...entry, xattrs: Object.fromEntries(texts), bytes: (await collect(body)).toString('latin1') })
  }
  return found
}

/** Bytes in pieces of one size, so that headers and bodies are cut anywhere. */
async function* pieces(bytes: Uint8Array, size: number): Bytes {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const tarOf = (...members: readonly TarSource[]): Promise<Buffer> => collect(writeTar(members))

/** A header block by hand: fields as given, the checksum right unless it is one of them. */
function header(fields: Readonly<Record<number, string | Buffer>>, sum = true): Buffer {
  const block = Buffer.alloc(512)
  const defaults = { 100: '0000644\0', 108: '0000000\0', 116: '0000000\0', 124: '00000000000\0', 136: '00000000000\0' }
  for (const [at, value] of Object.entries({ ...defaults, 156: '0', 257: 'ustar\x0000', ...fields })) {
    Buffer.from(value as string, 'latin1').copy(block, Number(at))
  }
  if (sum) {
    block.fill(0x20, 148, 156)
    block.write(
      `${block
        .reduce((total, byte) => total + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
  }
  return block
}

const END = Buffer.alloc(1024)

const EVERYTHING: readonly TarSource[] = [
  { kind: 'directory', path: 'dir', mode: 0o1777, mtime: 1_600_000_000_000_000_000n },
  { kind: 'file', path: 'dir/file', mode: 0o4755, uid: 1000, gid: 1000, body: Buffer.from('hello'), mtime: 1n },
  { kind: 'file', path: nameOfText('dir/grüße'), body: Buffer.alloc(513, 'x') },
  { kind: 'file', path: 'dir/\xff\xfe', uid: 3_000_000, gid: 4_294_967_294 },
  { kind: 'file', path: `${'d'.repeat(99)}/${'f'.repeat(60)}`, mtime: -1_500_000_000n },
  {
    kind: 'file',
    path: `${'\xe9'.repeat(150)}/x`,
    xattrs: new Map([
      ['user.b', Buffer.from([0, 255])],
      ['user.a', Buffer.alloc(0)],
    ]),
  },
  { kind: 'hardlink', path: 'dir/hard', link: 'dir/file' },
  { kind: 'symlink', path: 'dir/soft', link: `../${'t'.repeat(120)}` },
  { kind: 'character', path: 'null', major: 1, minor: 3, mode: 0o666 },
  { kind: 'block', path: 'sda', major: 8, minor: 1_000_000, xattrs: new Map([['user.a=b', Buffer.from('c')]]) },
  { kind: 'fifo', path: 'pipe' },
]

test('the tar writer gives the same bytes for ever under rule set 1', async () => {
  const hash = createHash('sha256')
    .update(await tarOf(...EVERYTHING))
    .digest('hex')
  assert.equal(hash, '590722b3f58b6db11a10f1d0ed7d6ecf3498e562729fdc6248baa89e65e2a073')
})

test('readTar() gives back what writeTar() was given, wherever the bytes are cut', async () => {
  const tar = await tarOf(...EVERYTHING)
  const whole = await readAll(bytesOf(tar))
  assert.deepEqual(
    whole.map(({ kind, path }) => [kind, path.replace(/\/$/, '')]),
    EVERYTHING.map(({ kind, path }) => [kind, path]),
  )
  assert.deepEqual(whole[5]?.xattrs, { 'user.a': '', 'user.b': '\0\xff' })
  assert.deepEqual(whole[9]?.xattrs, { 'user.a=b': 'c' })
  assert.equal(whole[4]?.mtime, -1_500_000_000n)
  for (const size of [1, 511, 512, 513, 4096]) assert.deepEqual(await readAll(pieces(tar, size)), whole)
})

const name = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 300,
})
const member: fc.Arbitrary<TarSource> = fc.record({
  kind: fc.constantFrom('file', 'hardlink', 'symlink', 'fifo'),
  path: name.filter((path) => !path.endsWith('/')),
  link: name,
  mode: fc.nat(0o7777),
  uid: fc.nat(0xfffffffe),
  gid: fc.nat(0xfffffffe),
  mtime: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }),
  body: fc.uint8Array({ maxLength: 2000 }),
  xattrs: fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 300 })), { maxLength: 3 }).map((all) => new Map(all)),
})

test('readTar() after writeTar() keeps every field of every entry', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(member, { maxLength: 8 }), fc.integer({ min: 1, max: 3000 }), async (members, size) => {
      const files = members.map(({ body, ...entry }) => (entry.kind === 'file' ? { ...entry, body: body! } : entry))
      const read = await readAll(pieces(await tarOf(...files), size))
      assert.deepEqual(
        read.map((entry) => ({ ...entry, size: undefined })),
        members.map(({ body, xattrs, ...entry }) => ({
          ...entry,
          size: undefined,
          link: entry.kind === 'hardlink' || entry.kind === 'symlink' ? entry.link : '',
          major: 0,
          minor: 0,
          xattrs: Object.fromEntries([...xattrs!].map(([key, value]) => [key, Buffer.from(value).toString('latin1')])),
          bytes: entry.kind === 'file' ? Buffer.from(body as Uint8Array).toString('latin1') : '',
        })),
      )
    }),
    { numRuns: 60 },
  )
})

test('a tar with bytes changed or cut ends in entries or in corrupt, never in anything else', async () => {
  const tar = await tarOf(...EVERYTHING)
  const change = fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { maxLength: 20 })
  await fc.assert(
    fc.asyncProperty(change, fc.nat(tar.length), async (changes, length) => {
      const damaged = Buffer.from(tar)
      for (const [at, byte] of changes) damaged[at] = byte
      await onlyCorrupt(damaged.subarray(0, length))
    }),
    { numRuns: 300 },
  )
})

test('random headers with right checksums end in entries or in corrupt', async () => {
  const fields = fc.dictionary(
    fc.constantFrom('0', '100', '108', '116', '124', '136', '156', '157', '257', '329', '345', '386', '482', '483'),
    fc.oneof(
      fc.string({ maxLength: 14 }),
      fc.constantFrom(
        '00000001000\0',
        '77777777777\0',
        'S',
        'x',
        'g',
        'L',
        '\x80\0\0\0\0\0\0\0\0\0\x02\0',
        '\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
      ),
    ),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fields, { maxLength: 4 }), fc.uint8Array({ maxLength: 2048 }), async (headers, rest) => {
      await onlyCorrupt(Buffer.concat([...headers.map((each) => header(each)), rest, END]))
    }),
    { numRuns: 500 },
  )
})

async function onlyCorrupt(tar: Uint8Array): Promise<void> {
  try {
    for await (const entry of readTar(bytesOf(tar))) assert(!entry.path.includes('\0'))
  } catch (error) {
    assert(error instanceof EngineError && error.kind === 'corrupt', String(error))
  }
}

const BROKEN: readonly (readonly [what: string, tar: Buffer, message: RegExp])[] = [
  ['a wrong checksum', header({ 0: 'a', 148: '0000000\0' }, false), /checksum/],
  ['a wrong digit', header({ 0: 'a', 124: '0000000000x\0' }), /wrong digit/],
  [
    'a size beyond exact numbers',
    header({ 0: 'a', 124: Buffer.from([0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]) }),
    /too large/,
  ],
  ['a negative size', header({ 0: 'a', 124: Buffer.alloc(12, 0xff) }), /negative/],
  ['a link without a target', header({ 0: 'a', 156: '2' }), /no target/],
  ['a folder with bytes', header({ 0: 'a', 156: '5', 124: '00000000010\0' }), /has bytes/],
  ['an unknown type', header({ 0: 'a', 156: 'q' }), /unknown type/],
  ['a file cut short', header({ 0: 'a', 124: '00000000010\0' }), /middle of an entry/],
  ['a header after an empty block', Buffer.concat([Buffer.alloc(512), header({ 0: 'a' })]), /follows an empty block/],
  [
    'an extended header without an entry',
    Buffer.concat([
      header({ 0: 'a', 156: 'x', 124: '00000000000\0' }),
      header({ 0: 'b', 156: 'x', 124: '00000000006\0' }),
      paddedBlock('6 a=b\n'),
    ]),
    /middle of an entry/,
  ],
  ['an extended header as large as memory', header({ 0: 'a', 156: 'x', 124: '77777777777\0' }), /too large/],
  [
    'a record with a wrong length',
    Buffer.concat([header({ 0: 'a', 156: 'x', 124: '00000000006\0' }), paddedBlock('9 a=b\n')]),
    /broken record/,
  ],
  [
    'a NUL in a long name',
    Buffer.concat([
      header({ 0: 'a', 156: 'x', 124: '00000000014\0' }),
      paddedBlock('12 path=a\0b\n'),
      header({ 0: 'a' }),
    ]),
    /NUL/,
  ],
]

function paddedBlock(text: string): Buffer {
  const block = Buffer.alloc(512)
  block.write(text, 'latin1')
  return block
}

for (const [what, tar, message] of BROKEN) {
  test(`readTar() refuses ${what}`, async () => {
    await assert.rejects(readAll(bytesOf(tar)), (error: unknown) => {
      assert(error instanceof EngineError)
      assert.equal(error.kind, 'corrupt')
      assert.match(error.message, message)
      return true
    })
  })
}

test('readTar() takes an empty archive, one without an end, and bytes after the end', async () => {
  assert.deepEqual(await readAll(bytesOf()), [])
  assert.equal((await readAll(bytesOf(header({ 0: 'a' })))).length, 1)
  assert.equal((await readAll(bytesOf(header({ 0: 'a' }), END, 'rest that nobody reads'))).length, 1)
})

test('readTar() takes a last body without its padding, as clients send it', async () => {
  const bytes = Buffer.concat([header({ 0: 'a', 124: '00000000002\0' }), Buffer.from('hi')])
  for await (const member of readTar(bytesOf(bytes))) assert.equal((await collect(member.body)).toString(), 'hi')
})

test('readTar() applies long GNU names, a global header and base-256 numbers', async () => {
  const tar = Buffer.concat([
    header({ 0: 'g', 156: 'g', 124: '00000000012\0' }),
    paddedBlock('10 uid=77\n'),
    header({ 0: 'long', 156: 'L', 124: '00000000200\0' }),
    paddedBlock(`${'n'.repeat(127)}\0`),
    header({ 0: 'short', 257: 'ustar  \0', 136: Buffer.concat([Buffer.alloc(11, 0xff), Buffer.from([0xfe])]) }),
    header({ 0: 'next', 116: Buffer.from([0x80, 0, 0, 0, 1, 0, 0, 0]) }),
    END,
  ])
  const [first, second] = await readAll(bytesOf(tar))
  assert.equal(first?.path, 'n'.repeat(127))
  assert.equal(first?.mtime, -2_000_000_000n)
  assert.equal(first?.uid, 77)
  assert.deepEqual([second?.path, second?.gid], ['next', 2 ** 24])
})

test('readTar() fills the holes of a sparse file, in the form of GNU tar 1.0', async () => {
  const map = '2\n1024\n3\n4096\n2\n'
  const records = [
    '22 GNU.sparse.major=1\n',
    '22 GNU.sparse.minor=0\n',
    '29 GNU.sparse.realsize=10000\n',
    '25 GNU.sparse.name=holes\n',
  ].join('')
  const size = (bytes: number): string => `${bytes.toString(8).padStart(11, '0')}\0`
  const tar = Buffer.concat([
    header({ 0: 'x', 156: 'x', 124: size(records.length) }),
    paddedBlock(records),
    header({ 0: 'GNUSparseFile.0/holes', 124: size(517) }),
    paddedBlock(map),
    paddedBlock('abcde'),
    END,
  ])
  const [entry] = await readAll(bytesOf(tar))
  assert.deepEqual([entry?.path, entry?.size, entry?.bytes.length], ['holes', 10000, 10000])
  assert.deepEqual([entry?.bytes.slice(1023, 1028), entry?.bytes.slice(4095, 4099)], ['\0abc\0', '\0de\0'])
})

test('a body that is not read is skipped, one that is asked for too late is refused', async () => {
  const tar = await tarOf(
    { kind: 'file', path: 'a', body: Buffer.alloc(5000) },
    { kind: 'file', path: 'b', body: Buffer.from('b') },
  )
  const members = []
  for await (const entry of readTar(pieces(tar, 100))) members.push(entry)
  assert.deepEqual(
    members.map((entry) => entry.path),
    ['a', 'b'],
  )
  await assert.rejects(collect(members[0]!.body), { kind: 'invalid' })
})

test('TarWriter refuses bodies that do not fit and names that are none', () => {
  const writer = (): TarWriter => new TarWriter(() => undefined)
  const short = writer()
  short.entry({ kind: 'file', path: 'a', size: 3 })
  assert.throws(() => short.finish(), { kind: 'invalid' })
  const long = writer()
  long.entry({ kind: 'file', path: 'a', size: 3 })
  assert.throws(() => long.body(Buffer.alloc(4)), { kind: 'invalid' })
  assert.throws(() => writer().entry({ kind: 'file', path: '' }), { kind: 'invalid' })
})

test('TarReader hands out sparse bodies at their offsets and calls end() once an entry', async () => {
  const calls: string[] = []
  const reader = new TarReader({
    entry: ({ path }) => calls.push(`entry ${path}`),
    body: (chunk, offset) => calls.push(`body ${chunk.length} at ${offset}`),
    end: () => calls.push('end'),
  })
  for await (const piece of pieces(
    await tarOf({ kind: 'file', path: 'f', body: Buffer.alloc(600) }, { kind: 'fifo', path: 'p' }),
    900,
  )) {
    reader.push(piece)
  }
  reader.finish()
  assert.deepEqual(calls, ['entry f', 'body 388 at 0', 'body 212 at 388', 'end', 'entry p', 'end'])
})

test('decompress() tells the form by the first bytes', async () => {
  const plain = Buffer.from('bytes '.repeat(50_000))
  for (const packed of [
    plain,
    gzipSync(plain),
    zstdCompressSync(plain),
    Buffer.concat([gzipSync(plain.subarray(0, 7)), gzipSync(plain.subarray(7))]),
  ]) {
    assert((await collect(decompress(pieces(packed, 100)))).equals(plain))
  }
  assert.equal(detectCompression(Buffer.from('BZh9')), 'bzip2')
  assert.deepEqual(await collect(decompress(bytesOf())), Buffer.alloc(0))
})

test('decompress() ends in corrupt where bytes are damaged or missing, in unsupported without a program', async () => {
  const packed = gzipSync(Buffer.from('x'.repeat(1000)))
  await assert.rejects(collect(decompress(bytesOf(packed.subarray(0, 20)))), { kind: 'corrupt' })
  packed[15] = 0xff
  await assert.rejects(collect(decompress(bytesOf(packed))), { kind: 'corrupt' })
  await assert.rejects(collect(decompress(bytesOf('BZh91AY'))), { kind: 'unsupported' })
  await assert.rejects(collect(decompress(failing())), /the source failed/)
})

async function* failing(): Bytes {
  yield gzipSync(Buffer.from('x')).subarray(0, 12)
  throw new Error('the source failed')
}

test('compress() gives what decompress() takes, and leaves a filter to do it where there is one', async () => {
  const plain = Buffer.from('bytes '.repeat(5000))
  for (const form of ['plain', 'gzip', 'zstd'] as const) {
    const packed = await collect(compress(form, pieces(plain, 1000)))
    assert.equal(detectCompression(packed), form)
    assert((await collect(decompress(bytesOf(packed)))).equals(plain))
  }
  const filters = { compress: { gzip: () => bytesOf('filtered') } }
  assert.equal((await collect(compress('gzip', bytesOf('x'), filters))).toString(), 'filtered')
})
