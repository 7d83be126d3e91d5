import assert from 'node:assert/strict'
import { test } from 'node:test'
import { proxyRule } from './proxy.ts'

const EXCEPT: readonly (readonly [except: string, url: string, direct: boolean])[] = [
  ['', 'https://r.example/', false],
  ['*', 'https://r.example/', true],
  ['r.example', 'https://r.example/', true],
  ['r.example', 'https://R.EXAMPLE:5000/', true],
  ['r.example', 'https://a.r.example/', true],
  ['r.example', 'https://br.example/', false],
  ['.r.example', 'https://r.example/', false],
  ['.r.example', 'https://a.r.example/', true],
  ['*.r.example', 'https://a.b.r.example/', true],
  ['r.example:5000', 'https://r.example:5000/', true],
  ['r.example:5000', 'https://r.example/', false],
  ['r.example:443', 'https://r.example/', true],
  ['10.0.0.0/8', 'https://10.255.0.1:5000/', true],
  ['10.0.0.0/8', 'https://11.0.0.1/', false],
  ['10.0.0.0/8', 'https://[fd00::1]/', false],
  ['fd00::/8', 'https://[fd12:3::4]:5000/', true],
  ['fd00::/8', 'https://[fe80::1]/', false],
  ['fd00::1', 'https://[fd00:0:0::1]/', true],
  ['[fd00::1]:5000', 'https://[fd00::1]:5000/', true],
  ['[fd00::1]:5000', 'https://[fd00::1]/', false],
  ['10.1.2.3', 'https://10.1.2.3/', true],
  ['1.2.3', 'https://10.1.2.3/', false],
  ['10.0.0.0/99, nothing , r.example', 'https://r.example/', true],
  ['', 'https://127.3.0.1:5000/', true],
  ['', 'https://localhost/', true],
  ['', 'http://[::1]:5000/', true],
]

for (const [except, url, direct] of EXCEPT) {
  test(`NO_PROXY=${except}: ${url} is asked ${direct ? 'directly' : 'by proxy'}`, () => {
    const rule = proxyRule({ http: 'http://proxy:1', https: 'http://proxy:2', except })
    assert.equal(rule(new URL(url)) === undefined, direct)
  })
}

test('each scheme has its own proxy, and http is that of a proxy without one', () => {
  const rule = proxyRule({ http: 'proxy:1' })
  assert.equal(rule(new URL('http://r.example/')), 'http://proxy:1')
  assert.equal(rule(new URL('https://r.example/')), undefined)
})
