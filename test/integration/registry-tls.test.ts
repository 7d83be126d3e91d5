import { systemClock } from '#base'
import { attachMount, unmountSync } from '#kernel'
import { parseReference } from '#oci'
import { createRegistries, type RegistryConfig } from '#registry'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary, type Temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer, type Server } from 'node:http'
import { createServer } from 'node:https'
import { connect } from 'node:net'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'

ownMountNamespace()

const HOST = 'registry.test'
const PATIENCE = { attempts: 1, delay: 1, longest: 1 }

interface TlsScene {
  /** `registry.test:PORT`: a name, because what is on the loopback needs no certificate. */
  readonly host: string
  /** Common names of the clients that called, undefined for one without certificate. */
  readonly clients: (string | undefined)[]
  readonly folder: Temporary
}

/** A registry of nothing but tags, behind a certificate that only its owner knows. */
async function withServer(work: (scene: TlsScene) => Promise<void>): Promise<void> {
  using folder = temporary()
  writeFileSync(folder.join('hosts'), `127.0.0.1 localhost ${HOST}\n`)
  attachMount({ type: 'bind', source: folder.join('hosts'), options: [] }, '/etc/hosts')
  try {
    makeCertificate(folder)
    const clients: (string | undefined)[] = []
    const tls = { key: readFileSync(folder.join('key.pem')), cert: readFileSync(folder.join('cert.pem')) }
    const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, (request, reply) => {
      clients.push(clientName(request.socket as TLSSocket))
      reply.end('{"tags":["a"]}')
    })
    await using port = await listen(server)
    await work({ host: `${HOST}:${port.number}`, clients, folder })
  } finally {
    unmountSync('/etc/hosts')
  }
}

function clientName(socket: TLSSocket): string | undefined {
  const { subject } = socket.getPeerCertificate()
  return typeof subject?.CN === 'string' ? subject.CN : undefined
}

function makeCertificate(folder: Temporary): void {
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${HOST}`
  const files = [
    '-addext',
    `subjectAltName=DNS:${HOST}`,
    '-keyout',
    folder.join('key.pem'),
    '-out',
    folder.join('cert.pem'),
  ]
  execFileSync('openssl', [...words.split(' '), ...files], { stdio: 'ignore' })
}

async function listen(server: Server): Promise<AsyncDisposable & { readonly number: number }> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  return {
    number: address.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function tags(host: string, config: Partial<RegistryConfig>): Promise<readonly string[]> {
  await using registries = createRegistries({ mirrors: [], insecure: [], patience: PATIENCE, ...config }, systemClock())
  const [registry] = registries.registryFor(parseReference(`${host}/x`))
  assert.ok(registry)
  return await registry.tags('x')
}

test('an unknown certificate is refused, unless the host is listed as insecure', async () => {
  await withServer(async ({ host }) => {
    await assert.rejects(tags(host, {}), { kind: 'unavailable', message: /tls: failed to verify certificate/ })
    assert.deepEqual(await tags(host, { insecure: [host] }), ['a'])
  })
})

const BUNDLE = '/etc/ssl/certs/ca-certificates.crt'
const WITHOUT = existsSync(BUNDLE) ? false : 'the machine has no authorities'

test('the authorities of the machine are believed', { skip: WITHOUT }, async () => {
  await withServer(async ({ host, folder }) => {
    attachMount({ type: 'bind', source: folder.join('cert.pem'), options: [] }, BUNDLE)
    try {
      assert.deepEqual(await tags(host, {}), ['a'])
    } finally {
      unmountSync(BUNDLE)
    }
    await assert.rejects(tags(host, {}), { message: /tls: failed to verify certificate/ })
  })
})

test('certs.d: an authority of its own is believed, a client certificate is shown', async () => {
  await withServer(async ({ host, clients, folder }) => {
    const own = folder.join('certs.d', host)
    mkdirSync(own, { recursive: true })
    const certificates = [folder.join('none'), folder.join('certs.d')]
    copyFileSync(folder.join('cert.pem'), `${own}/ca.crt`)
    assert.deepEqual(await tags(host, { certificates }), ['a'])
    copyFileSync(folder.join('cert.pem'), `${own}/client.cert`)
    await assert.rejects(tags(host, { certificates }), { kind: 'invalid', message: /missing key client.key/ })
    copyFileSync(folder.join('key.pem'), `${own}/client.key`)
    assert.deepEqual(await tags(host, { certificates }), ['a'])
    assert.deepEqual(clients, [undefined, HOST])
  })
})

test('a proxy is asked, but not for what is excepted', async () => {
  await withServer(async ({ host }) => {
    const asked: (string | undefined)[] = []
    const server = createPlainServer()
    server.on('connect', ({ url }, socket) => {
      asked.push(url)
      const [name, port] = (url ?? '').split(':')
      const there = connect(Number(port), name, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        there.pipe(socket).pipe(there)
      })
      there.on('error', () => socket.destroy())
      socket.on('error', () => there.destroy())
    })
    await using port = await listen(server)
    const proxy = { https: `http://127.0.0.1:${port.number}` }
    assert.deepEqual(await tags(host, { insecure: [host], proxy }), ['a'])
    assert.ok(asked.length > 0 && asked.every((url) => url === host))
    const before = asked.length
    assert.deepEqual(await tags(host, { insecure: [host], proxy: { ...proxy, except: HOST } }), ['a'])
    assert.equal(asked.length, before)
  })
})

test('a host that speaks no TLS is refused, unless it is listed as insecure', async () => {
  await withServer(async () => {
    await using port = await listen(createPlainServer((_, reply) => reply.end('{"tags":["plain"]}')))
    const host = `${HOST}:${port.number}`
    await assert.rejects(tags(host, {}), { message: /http: server gave HTTP response to HTTPS client$/ })
    assert.deepEqual(await tags(host, { insecure: [HOST] }), ['plain'])
  })
})
