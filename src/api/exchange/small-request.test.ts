import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseSmallRequest } from './small-request.ts'

const parse = (text: string) => parseSmallRequest(Buffer.from(text, 'latin1'))
const head = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`

test('parseSmallRequest() reads what clients ask with', () => {
  const ping = parse(
    head('HEAD /_ping HTTP/1.1', 'Host: api.moby.localhost', 'User-Agent: Docker-Client/28.2.2 (linux)'),
  )
  assert.equal(ping?.method, 'HEAD')
  assert.equal(ping?.url, '/_ping')
  assert.deepEqual(
    [...(ping?.fields ?? [])],
    [
      ['host', 'api.moby.localhost'],
      ['user-agent', 'Docker-Client/28.2.2 (linux)'],
    ],
  )
  const list = parse(head('GET /v1.50/images/json?all=1&x=%2F HTTP/1.1', 'host:x', 'Connection: keep-alive'))
  assert.equal(list?.url, '/v1.50/images/json?all=1&x=%2F')
  assert.equal(list?.fields.get('connection'), 'keep-alive')
})

test('parseSmallRequest() does not take the fields of one request for those of another', () => {
  const hosts = Array.from({ length: 30 }, (_, index) => `host-${index % 12}`)
  const read = hosts.map((host) => parse(head('GET / HTTP/1.1', `Host: ${host}`))?.fields.get('host'))
  assert.deepEqual(read, hosts)
})

const GET = 'GET /ok HTTP/1.1'
const HOST = 'Host: x'

for (const [what, text] of [
  ['nothing', ''],
  ['half a head', `${GET}\r\n${HOST}\r\n`],
  ['a head that lacks its last byte', head(GET, HOST).slice(0, -1)],
  ['something behind the head', `${head(GET, HOST)}x`],
  ['two requests', head(GET, HOST).repeat(2)],
  ['another method', head('POST /ok HTTP/1.1', HOST)],
  ['a method in lower case', head('get /ok HTTP/1.1', HOST)],
  ['HTTP/1.0', head('GET /ok HTTP/1.0', HOST)],
  ['a target of another form', head('GET http://x/ok HTTP/1.1', HOST)],
  ['a target with a blank', head('GET /o k HTTP/1.1', HOST)],
  ['a target that is no ASCII', head('GET /\xe4 HTTP/1.1', HOST)],
  ['two blanks', head('GET  /ok HTTP/1.1', HOST)],
  ['no host', head(GET, 'User-Agent: x')],
  ['no fields', head(GET)],
  ['two hosts', head(GET, HOST, 'host: y')],
  ['a length', head(GET, HOST, 'Content-Length: 0')],
  ['a coding', head(GET, HOST, 'Transfer-Encoding: chunked')],
  ['an upgrade', head(GET, HOST, 'Connection: Upgrade', 'Upgrade: tcp')],
  ['a connection that ends', head(GET, HOST, 'Connection: close')],
  ['an expectation', head(GET, HOST, 'Expect: 100-continue')],
  ['a field that goes on', head(GET, HOST, 'X: a', ' b')],
  ['a blank before the colon', head(GET, 'Host : x')],
  ['no colon', head(GET, HOST, 'X')],
  ['an empty value', head(GET, HOST, 'X:')],
  ['a value with a tab', head(GET, HOST, 'X: a\tb')],
  ['a value with a blank at its end', head(GET, HOST, 'X: a ')],
  ['a value with a zero', head(GET, HOST, 'X: a\0b')],
  ['a value that is no ASCII', head(GET, HOST, 'X: \xe4')],
  ['a lonely line feed', head(GET, `${HOST}\nX: y`)],
  ['a lonely carriage return', head(GET, `${HOST}\rX: y`)],
  ['a line feed for both', `${GET}\n${HOST}\n\n`],
  ['an empty line before', `\r\n${head(GET, HOST)}`],
  ['a long head', head(GET, HOST, `X: ${'x'.repeat(9000)}`)],
] as const) {
  test(`parseSmallRequest() leaves ${what} to node`, () => assert.equal(parse(text), undefined))
}
