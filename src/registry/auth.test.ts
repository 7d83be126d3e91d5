import { bytesOf, type Bytes } from '#base'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAuth } from './auth.ts'
import type { Http, HttpRequest } from './http.ts'
import type { Credentials } from './types.ts'

interface Scene {
  readonly requests: HttpRequest[]
  now: number
}

/** A token server in memory: the n-th request gets the n-th reply, the last one again and again. */
function scene(replies: readonly (readonly [status: number, body: string])[]): Scene & { readonly http: Http } {
  const requests: HttpRequest[] = []
  return {
    requests,
    now: 0,
    http: {
      async send(request) {
        requests.push(request)
        const [status, text] = replies[requests.length - 1] ?? replies.at(-1) ?? [500, '']
        const body: Bytes = bytesOf(text)
        return { status, reason: '', header: () => undefined, body, discard: async () => undefined }
      },
      [Symbol.asyncDispose]: async () => undefined,
    },
  }
}

function auth(made: ReturnType<typeof scene>, credentials?: Credentials, insecure = false) {
  return createAuth({ http: made.http, credentials, insecure, now: () => made.now })
}

const BEARER = 'Bearer realm="https://auth.example/token",service="reg"'
const PULL = ['repository:x:pull']
const asked = { what: 'Get "https://r/v2/"', scopes: PULL, refused: undefined }

test('a token is kept for its life and asked for again after it', async () => {
  const made = scene([
    [200, '{"token":"one","expires_in":100}'],
    [200, '{"access_token":"two","expires_in":null}'],
  ])
  const mine = auth(made)
  assert.equal(await mine.known(PULL, 'it'), undefined)
  assert.equal(await mine.answer(BEARER, asked), 'Bearer one')
  made.now = 94_000
  assert.equal(await mine.known(PULL, 'it'), 'Bearer one')
  made.now = 96_000
  assert.equal(await mine.known(PULL, 'it'), 'Bearer two')
  assert.equal(made.requests.length, 2)
  assert.equal(made.requests[0]?.url.href, 'https://auth.example/token?service=reg&scope=repository%3Ax%3Apull')
  assert.deepEqual(made.requests[0]?.headers, {})
})

test('a refused token is not sent again', async () => {
  const made = scene([
    [200, '{"token":"one"}'],
    [200, '{"token":"two"}'],
  ])
  const mine = auth(made)
  await mine.answer(BEARER, asked)
  assert.equal(await mine.answer(BEARER, { ...asked, refused: 'Bearer one' }), 'Bearer two')
})

test('an identity token is exchanged by POST, a registry token is used as it is', async () => {
  const made = scene([[200, '{"access_token":"made"}']])
  assert.equal(await auth(made, { identityToken: 'idt' }).answer(BEARER, asked), 'Bearer made')
  const [request] = made.requests
  assert.equal(request?.method, 'POST')
  assert.ok(request.body instanceof Uint8Array)
  assert.match(Buffer.from(request.body).toString(), /grant_type=refresh_token&refresh_token=idt/)
  const direct = scene([])
  assert.equal(await auth(direct, { registryToken: 'given' }).answer(BEARER, asked), 'Bearer given')
  assert.equal(direct.requests.length, 0)
})

test('credentials go to the token server as Basic; a refusal says so without them', async () => {
  const made = scene([[401, '{}']])
  await assert.rejects(auth(made, { username: 'me', password: 'hunter2' }).answer(BEARER, asked), (error) => {
    assert.ok(error instanceof Error && /incorrect username or password/.test(error.message))
    return !error.message.includes('hunter2')
  })
  assert.equal(made.requests[0]?.headers['authorization'], 'Basic bWU6aHVudGVyMg==')
})

test('a token server without TLS, or none, is refused for a host that needs TLS', async () => {
  for (const realm of ['http://auth.example/token', 'nonsense', '', 'file:///etc/passwd']) {
    const made = scene([[200, '{"token":"x"}']])
    await assert.rejects(auth(made).answer(`Bearer realm="${realm}"`, asked), { kind: 'unauthorized' })
    assert.equal(made.requests.length, 0)
  }
  const local = scene([[200, '{"token":"x"}']])
  assert.equal(await auth(local, undefined, true).answer('Bearer realm="http://auth.example/t"', asked), 'Bearer x')
})

test('a token server that answers without a token is an error', async () => {
  for (const body of ['', '[]', '{}', '{"token":""}', '{"token":7}']) {
    await assert.rejects(auth(scene([[200, body]])).answer(BEARER, asked), { kind: 'unavailable' })
  }
})
