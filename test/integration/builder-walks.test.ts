import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { builderJobs } from '#builder'
import { setXattr } from '#kernel'
import { until } from '#test/wait'

const CONTEXT = { cancelled: () => false, report: () => undefined }

interface Bench {
  readonly folder: string
  readonly digests: string
  readonly walks: string
  /** With what is remembered, and without. */
  readonly hash: (options?: Options) => { readonly remembered: string; readonly fresh: string }
  readonly settle: () => Promise<void>
}

interface Options {
  readonly ignore?: string
  readonly sources?: readonly string[]
}

async function withContext(use: (bench: Bench) => Promise<void>): Promise<void> {
  const top = mkdtempSync('/tmp/mica-walks-')
  const folder = join(top, 'context')
  mkdirSync(join(folder, 'a/b'), { recursive: true })
  for (const name of ['a/one', 'a/two', 'a/b/three']) writeFileSync(join(folder, name), `text of ${name}`)
  symlinkSync('one', join(folder, 'a/link'))
  const digests = join(top, 'digests.json')
  const input = { folder, sources: ['a'], keepOwners: false }
  try {
    await use({
      folder,
      digests,
      walks: `${digests}.walks`,
      hash({ ignore, sources = ['a'] } = {}) {
        const asked = {
          ...input,
          sources,
          ...(ignore !== undefined && { ignore: { text: ignore, file: '.dockerignore' } }),
        }
        return {
          remembered: builderJobs['builder.hash']({ ...asked, digests }, CONTEXT).hash,
          fresh: builderJobs['builder.hash'](asked, CONTEXT).hash,
        }
      },
      async settle() {
        const made = Date.now()
        await until('the files are settled', async () => Date.now() - made > 2500)
      },
    })
  } finally {
    rmSync(top, { recursive: true })
  }
}

test('an unchanged context costs its walk: no digest is looked up', () =>
  withContext(async ({ hash, settle, digests, walks }) => {
    hash()
    // files that are this young may change and look the same
    assert.throws(() => statSync(walks), { code: 'ENOENT' })
    await settle()
    const { remembered, fresh } = hash()
    assert.equal(remembered, fresh)
    // whoever reads this one fails
    rmSync(digests)
    mkdirSync(digests)
    assert.equal(hash().remembered, fresh)
    assert.throws(() => hash({ sources: ['a', 'a/b'] }), { code: 'EISDIR' })
    assert.throws(() => hash({ ignore: 'a/two' }), { code: 'EISDIR' })
    assert.equal(hash().remembered, fresh)
    rmSync(digests, { recursive: true })
    const [[form, ...kept]] = JSON.parse(readFileSync(walks, 'utf8'))
    writeFileSync(walks, JSON.stringify([[form - 1, ...kept]]))
    assert.equal(hash().remembered, fresh)
    writeFileSync(walks, '[[')
    assert.equal(hash().remembered, fresh)
  }))

/** Each with the same names, sizes and times as before, where that can be. */
const CHANGES: Readonly<Record<string, (folder: string) => void>> = {
  bytes(folder) {
    const path = join(folder, 'a/one')
    const { atime, mtime } = statSync(path)
    writeFileSync(path, 'TEXT OF a/one')
    utimesSync(path, atime, mtime)
  },
  mode: (folder) => chmodSync(join(folder, 'a/b'), 0o700),
  name: (folder) => renameSync(join(folder, 'a/two'), join(folder, 'a/too')),
  'a file more': (folder) => writeFileSync(join(folder, 'a/b/more'), ''),
  'a file less': (folder) => unlinkSync(join(folder, 'a/b/more')),
  'target of a link'(folder) {
    const path = join(folder, 'a/link')
    unlinkSync(path)
    symlinkSync('two', path)
    lutimesSync(path, 1, 1)
  },
  'an attribute': (folder) => setXattr(join(folder, 'a/too'), 'user.test', Buffer.from('1')),
  'an attribute of a folder': (folder) => setXattr(join(folder, 'a/b'), 'user.test', Buffer.from('1')),
  'another file of that name'(folder) {
    const path = join(folder, 'a/one')
    const { atime, mtime } = statSync(path)
    writeFileSync(`${path}.new`, 'Text of a/one')
    utimesSync(`${path}.new`, atime, mtime)
    renameSync(`${path}.new`, path)
  },
}

test('a walk that was remembered is not believed once something has changed', { timeout: 120_000 }, () =>
  withContext(async ({ folder, hash, settle }) => {
    await settle()
    for (const [name, change] of Object.entries(CHANGES)) {
      const before = hash()
      assert.equal(before.remembered, before.fresh, `before: ${name}`)
      change(folder)
      const after = hash()
      assert.equal(after.remembered, after.fresh, name)
      assert.notEqual(after.fresh, before.fresh, name)
      // and once more, when it is remembered itself
      await settle()
      assert.deepEqual([hash().remembered, hash().remembered], [after.fresh, after.fresh], name)
    }
    const before = hash()
    // owner and times are not copied
    chownSync(join(folder, 'a/one'), 7, 7)
    utimesSync(join(folder, 'a/one'), 5, 5)
    assert.deepEqual(hash(), before)
  }),
)

test('ignore rules and sources are told apart', () =>
  withContext(async ({ hash, settle }) => {
    await settle()
    const asked = [{}, { ignore: 'a/two' }, { ignore: 'a/b' }, { sources: ['a/one'] }, { sources: ['a/*'] }]
    for (const options of [...asked, ...asked, ...asked]) {
      const { remembered, fresh } = hash(options)
      assert.equal(remembered, fresh, JSON.stringify(options))
    }
    assert.equal(new Set(asked.map((options) => hash(options).remembered)).size, asked.length)
  }))

test('what is foretold of a copy names what was read, not what was expected', () =>
  withContext(async ({ folder, digests }) => {
    const upper = join(folder, '../earlier')
    mkdirSync(join(upper, 'new'), { recursive: true })
    writeFileSync(join(upper, 'new/two'), 'text of a/two')
    const two = createHash('sha256').update('text of a/two').digest('hex')
    const notes = join(folder, '../notes.json')
    writeFileSync(notes, JSON.stringify([['new/two', two]]))
    const source = { folder, sources: ['a'], digests, keepOwners: false }
    const input = { source, destination: '/new', earlier: { upper, files: notes }, madeAt: 7n }
    const foretell = () => builderJobs['builder.foretell'](input, CONTEXT)
    const path = join(folder, 'a/one')
    utimesSync(path, 5, 5)
    const before = foretell()
    assert.ok(before)
    assert.deepEqual(foretell(), before)
    utimesSync(path, 9, 9)
    const touched = foretell()
    utimesSync(path, 5, 5)
    assert.deepEqual(foretell(), before)
    writeFileSync(path, 'TEXT OF a/one')
    utimesSync(path, 5, 5)
    const after = foretell()
    chmodSync(path, 0o600)
    assert.notEqual(foretell()?.made, after?.made)
    for (const key of ['made', 'diffId'] as const)
      assert.equal(new Set([before[key], touched?.[key], after?.[key]]).size, 3, key)
    writeFileSync(notes, '[]')
    assert.equal(foretell(), undefined)
  }))
