import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createUserCheck, hashPassword } from './auth.ts'

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

test('createUserCheck() lets the user in by password, and nobody else', async () => {
  const secret = await hashPassword('pass:word')
  const check = createUserCheck({ name: 'me', secret })
  await check(basic('me:pass:word'))
  await check(basic('me:pass:word'))
  const others = [undefined, '', basic('me:password'), basic('you:pass:word'), basic('me'), 'Bearer abc', 'Basic §']
  for (const header of others) {
    await assert.rejects(check(header), (error: { status?: number; headers?: object }) => {
      assert.equal(error.status, 401)
      assert.deepEqual(error.headers, { 'www-authenticate': 'Basic realm="mica registry", charset="UTF-8"' })
      return true
    })
  }
  assert.doesNotMatch(JSON.stringify(secret), /pass/)
})

test('createUserCheck() lets everyone in where there is no user', async () => {
  await createUserCheck(undefined)(undefined)
})
