import assert from 'node:assert/strict'
import { lstatSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CallContext, openAccounts } from './accounts.ts'
import { buildHeaders, registryHeaders } from './headers.ts'

interface Scene {
  readonly context: CallContext
  readonly path: string
  /** What went to helpers: the words and standard input. */
  readonly asked: string[]
  readonly warned: string[]
}

type Answers = Readonly<Record<string, string>>

/** A folder with this config.json, and helpers that answer from a table («name get server»); others fail. */
function scene(t: TestContext, config: unknown, answers: Answers = {}, env: Record<string, string> = {}): Scene {
  const folder = mkdtempSync(join(tmpdir(), 'mica-accounts-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'config.json')
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config))
  const asked: string[] = []
  const warned: string[] = []
  const context: CallContext = {
    env: { DOCKER_CONFIG: folder, ...env },
    io: { stderr: { write: (text) => void warned.push(text.toString()) } },
    runProgram(file, [word = ''], input) {
      asked.push(`${file} ${word} ${input}`)
      const answer = answers[`${file.replace('docker-credential-', '')} ${word} ${input}`.trim()]
      return Promise.resolve({ status: answer === undefined ? 1 : 0, stdout: answer ?? 'boom' })
    },
  }
  return { context, path, asked, warned }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')
const decode = (header = ''): unknown => JSON.parse(Buffer.from(header, 'base64url').toString())

test('accounts of the file are found by name and by host, and docker.io under its old index', async (t) => {
  const auths = {
    'r.example': { auth: base64('me:a:b') },
    'https://s.example/v1/': { auth: base64('you:x\0\0') },
    'https://index.docker.io/v1/': { auth: base64('hub:'), identitytoken: 'long' },
    'empty.example': {},
    'odd.example': 7,
  }
  const { context } = scene(t, { auths })
  const header = async (domain: string) => decode((await registryHeaders(context, domain))['X-Registry-Auth'])
  assert.deepEqual(await header('r.example'), { username: 'me', password: 'a:b', serveraddress: 'r.example' })
  assert.deepEqual(await header('s.example'), { username: 'you', password: 'x', serveraddress: 's.example' })
  const hub = { username: 'hub', identitytoken: 'long', serveraddress: 'https://index.docker.io/v1/' }
  assert.deepEqual(await header('docker.io'), hub)
  for (const domain of ['empty.example', 'odd.example', 'none.example']) assert.deepEqual(await header(domain), {})
})

test('a helper is asked for its host, and a token has a name of its own', async (t) => {
  const { context, asked } = scene(
    t,
    { credsStore: 'all', credHelpers: { 'r.example': 'one' } },
    {
      'one get r.example': '{"ServerURL":"r.example","Username":"<token>","Secret":"long"}',
      'all get s.example': '{"ServerURL":"s.example","Username":"me","Secret":"pw"}',
      'all list': '{"s.example":"me"}',
    },
  )
  const one = decode((await registryHeaders(context, 'r.example'))['X-Registry-Auth'])
  assert.deepEqual(one, { identitytoken: 'long', serveraddress: 'r.example' })
  assert.deepEqual(asked, ['docker-credential-one get r.example'])
  const all = decode((await buildHeaders(context))['X-Registry-Config'])
  assert.deepEqual(all, {
    's.example': { username: 'me', password: 'pw', serveraddress: 's.example' },
    'r.example': { identitytoken: 'long', serveraddress: 'r.example' },
  })
})

test('helpers that fail, or answer nonsense, are said in one line that holds no secret', async (t) => {
  const { context, warned } = scene(
    t,
    { credHelpers: { 'a.example': 'x', 'b.example': 'y', 'c.example': 'z' } },
    { 'y get b.example': '{"Secret":"pw"', 'z get c.example': '{"Secret":"pw"}' },
  )
  for (const domain of ['a.example', 'b.example', 'c.example']) {
    assert.deepEqual(decode((await registryHeaders(context, domain))['X-Registry-Auth']), {})
  }
  assert.equal(warned.length, 3)
  assert.ok(warned.every((line) => /^WARNING: error getting credentials[^\n]*\n$/.test(line) && !line.includes('pw')))
  warned.length = 0
  assert.deepEqual(await buildHeaders(context), {})
  assert.equal(warned.length, 1)
})

test('DOCKER_AUTH_CONFIG comes before the file', async (t) => {
  const given = JSON.stringify({ auths: { 'r.example': { auth: base64('given:1') } } })
  const auths = { 'r.example': { auth: base64('file:2') } }
  const { context } = scene(t, { auths }, {}, { DOCKER_AUTH_CONFIG: given })
  assert.equal((await (await openAccounts(context)).find('r.example'))?.username, 'given')
})

test('save() follows a link, keeps the order of what is there, and refuses a broken file', async (t) => {
  const { context, path } = scene(t, { z: 1, auths: {}, a: 2 })
  const link = `${path}.link`
  writeFileSync(link, readFileSync(path))
  rmSync(path)
  symlinkSync(link, path)
  await (await openAccounts(context)).save('r.example', { username: 'me', password: 'pw' })
  assert.ok(lstatSync(path).isSymbolicLink())
  const text = `{\n\t"z": 1,\n\t"auths": {\n\t\t"r.example": {\n\t\t\t"auth": "${base64('me:pw')}"\n\t\t}\n\t},\n\t"a": 2\n}`
  assert.equal(readFileSync(link, 'utf8'), text)
  const broken = scene(t, '[]')
  const accounts = await openAccounts(broken.context)
  assert.match(
    broken.warned.join(''),
    /^WARNING: Error parsing config file \(.*\): it is no configuration of docker\n$/,
  )
  await assert.rejects(accounts.save('r.example', { username: 'me', password: 'pw' }), { kind: 'invalid' })
  assert.equal(readFileSync(broken.path, 'utf8'), '[]')
})
