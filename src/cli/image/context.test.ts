import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { readTar } from '#archive'
import { bytesOf, collect } from '#base'
import { createClient } from '#client'
import type { Context } from '#cli/kit'
import { checkReadable, contextTar } from './context-tar.ts'
import { locateContext } from './locate.ts'

function folder(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'mica-context-'))
  t.after(() => rmSync(root, { recursive: true }))
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

function contextOf(cwd: string, stdin: Uint8Array | string = ''): Context {
  const output = {
    terminal: false,
    write: () => undefined,
    size: () => ({ rows: 0, columns: 0 }),
    drained: () => Promise.resolve(),
    onResize: () => ({ [Symbol.dispose]: () => undefined }),
  }
  const io = {
    stdout: output,
    stderr: output,
    stdin: { terminal: false, bytes: bytesOf(stdin), raw: () => ({ [Symbol.dispose]: () => undefined }) },
    onSignals: () => ({ [Symbol.dispose]: () => undefined }),
  }
  return {
    client: createClient({ host: 'unix:///nope' }),
    io,
    env: {},
    cwd,
    now: 0,
    version: '',
    name: 'mica build',
    runProgram: () => Promise.resolve({ status: 0, stdout: '' }),
    becomeDaemon: async () => 0,
  }
}

async function namesIn(bytes: AsyncIterable<Uint8Array>): Promise<Readonly<Record<string, string>>> {
  const found: [string, string][] = []
  for await (const member of readTar(bytes))
    found.push([member.path, member.kind === 'symlink' ? `-> ${member.link}` : (await collect(member.body)).toString()])
  return Object.fromEntries(found)
}

test('contextTar() sends what .dockerignore leaves, and always what the daemon reads', async (t) => {
  const path = folder(t, {
    Dockerfile: 'FROM x',
    '.dockerignore': '*\n!keep\nkeep/not\n',
    'keep/yes': '1',
    'keep/not': '2',
    gone: '3',
  })
  symlinkSync('yes', join(path, 'keep/link'))
  const names = await namesIn(contextTar({ kind: 'folder', path, dockerfile: undefined }))
  assert.deepEqual(names, {
    '.dockerignore': '*\n!keep\nkeep/not\n',
    Dockerfile: 'FROM x',
    'keep/': '',
    'keep/link': '-> yes',
    'keep/yes': '1',
  })
})

test('contextTar() puts a Dockerfile of elsewhere in the place of the folder’s own', async (t) => {
  const path = folder(t, { Dockerfile: 'FROM inside', a: '' })
  const names = await namesIn(
    contextTar({ kind: 'folder', path, dockerfile: undefined, dockerfileText: 'FROM outside' }),
  )
  assert.deepEqual(names, { Dockerfile: 'FROM outside', a: '' })
})

test('contextTar() sends a file that grows as it was, and stops where one becomes shorter', async (t) => {
  const size = 4 << 20
  const path = folder(t, { Dockerfile: 'FROM x', large: 'a'.repeat(size), zlast: 'z' })
  const sendWhile = async (change: (file: string) => void): Promise<readonly number[]> => {
    const sizes: number[] = []
    for await (const member of readTar(contextTar({ kind: 'folder', path, dockerfile: undefined }))) {
      let length = 0
      for await (const chunk of member.body) {
        if (length === 0 && member.path === 'large') change(join(path, 'large'))
        length += chunk.length
      }
      sizes.push(length)
    }
    return sizes
  }
  assert.deepEqual(await sendWhile((file) => appendFileSync(file, 'more')), [6, size, 1])
  await assert.rejects(
    sendWhile((file) => truncateSync(file, 10)),
    { kind: 'conflict', message: 'cannot send "large": it became shorter while it was read' },
  )
})

/** Root may read everything. */
const isRoot = process.geteuid?.() === 0

test(
  'what the user may not read is said in docker’s words, over the local socket too',
  { skip: !isRoot },
  async (t) => {
    const root = folder(t, { 'context/Dockerfile': 'FROM x', 'context/secret': '1', 'context/dir/inner': '2' })
    const path = join(root, 'context')
    for (const place of [root, path]) chmodSync(place, 0o755)
    const where = { kind: 'folder', path, dockerfile: undefined } as const
    const asNobody = async (work: () => Promise<unknown>): Promise<void> => {
      process.seteuid?.(65_534)
      try {
        await work()
      } finally {
        process.seteuid?.(0)
      }
    }
    const ways = [() => checkReadable(where), () => collect(contextTar(where))]
    for (const way of ways) await asNobody(way)
    chmodSync(join(path, 'secret'), 0o600)
    for (const way of ways)
      await assert.rejects(asNobody(way), {
        kind: 'forbidden',
        message: `error checking context: no permission to read from '${join(path, 'secret')}'`,
      })
    chmodSync(join(path, 'secret'), 0o644)
    chmodSync(join(path, 'dir'), 0o700)
    for (const way of ways)
      await assert.rejects(asNobody(way), { message: `error checking context: can't stat '${join(path, 'dir')}'` })
    writeFileSync(join(path, '.dockerignore'), 'dir\n')
    for (const way of ways) await asNobody(way)
  },
)

test('locateContext() finds the Dockerfile where docker does', async (t) => {
  const root = folder(t, { 'context/Dockerfile': '', 'context/sub/other': '', outside: 'FROM o' })
  const inside = join(root, 'context')
  const at = (cwd: string, path: string, file?: string) => locateContext(contextOf(cwd), { path, file })
  assert.deepEqual(await at(root, 'context'), { kind: 'folder', path: inside, dockerfile: undefined })
  assert.deepEqual(await at(root, 'context', 'sub/other'), { kind: 'folder', path: inside, dockerfile: 'sub/other' })
  assert.deepEqual(await at(root, 'context', 'context/sub/other'), {
    kind: 'folder',
    path: inside,
    dockerfile: 'sub/other',
  })
  assert.deepEqual(await at(root, 'context', 'outside'), {
    kind: 'folder',
    path: inside,
    dockerfile: 'outside',
    dockerfileText: 'FROM o',
  })
  await assert.rejects(at(root, 'nosuch'), { message: 'unable to prepare context: path "nosuch" not found' })
  await assert.rejects(at(root, 'outside'), /context must be a directory/)
  await assert.rejects(at(root, 'context', 'nosuch'), /no such file or directory/)
  await assert.rejects(at(root, 'https://example.com/x.git'), /not known yet/)
})

test('locateContext() reads a Dockerfile alone or a tar from stdin', async () => {
  const alone = await locateContext(contextOf('/', 'FROM scratch'), { path: '-', file: undefined })
  assert.ok(alone.kind === 'tar')
  assert.deepEqual(await namesIn(alone.bytes), { Dockerfile: 'FROM scratch' })
  const packed = await locateContext(contextOf('/', Buffer.from('1f8b0800', 'hex')), { path: '-', file: 'x' })
  assert.ok(packed.kind === 'tar' && packed.dockerfile === 'x')
  assert.equal((await collect(packed.bytes)).toString('hex'), '1f8b0800')
})
