import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  parseAuthConfigHeader,
  parseAuthHeader,
  parseConfigBody,
  parseExecBody,
  parseExecStartBody,
  parseVolumeBody,
  parseHostConfigBody,
  parseNullableStringMap,
  parseObjectBody,
  parseStringMap,
} from './body.ts'

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

test('parseConfigBody() takes null for «not given», and one word for a list', () => {
  const body = parseConfigBody({ Image: 'x', Env: null, Cmd: 'sh', Entrypoint: null, Labels: null, Tty: null })
  assert.deepEqual(body.Cmd, ['sh'])
  assert.deepEqual([body.Env, body.Labels, body.Tty, body.Entrypoint], [[], {}, false, null])
})

test('parseConfigBody() names the member that is wrong', () => {
  assert.throws(() => parseConfigBody({ Image: 5 }), {
    kind: 'invalid',
    message: 'invalid JSON: Image: cannot use 5, it must be string',
  })
  assert.throws(() => parseConfigBody({ Env: ['a', 1] }), /Env\.1/)
  assert.throws(() => parseHostConfigBody({ Binds: 'x' }), /HostConfig\.Binds/)
})

test('labels may have any name', () => {
  const names = ['constructor', 'prototype', 'toString', '']
  const labels = Object.fromEntries(names.map((name) => [name, 'x']))
  assert.deepEqual(parseConfigBody({ Labels: labels }).Labels, labels)
  assert.deepEqual(parseNullableStringMap(labels, 'buildargs'), labels)
  for (const Labels of [[], 'x', { a: 1 }, { a: null }]) {
    assert.throws(() => parseConfigBody({ Labels }), { kind: 'invalid', message: /Labels/ })
  }
})

test('parseObjectBody() refuses a list and a text, and takes null for an empty object', () => {
  assert.deepEqual(parseObjectBody(null), {})
  assert.throws(() => parseObjectBody([]), { kind: 'invalid' })
  assert.throws(() => parseObjectBody('x'), { kind: 'invalid' })
})

test('no body may be a list where an object is due', () => {
  for (const parse of [parseConfigBody, parseExecBody, parseExecStartBody, parseVolumeBody])
    assert.throws(() => parse([]), { kind: 'invalid' })
})

test('parseExecStartBody() takes a size of two numbers', () => {
  assert.deepEqual(parseExecStartBody({ ConsoleSize: [24, 80] }).ConsoleSize, [24, 80])
  assert.throws(() => parseExecStartBody({ ConsoleSize: [24] }), { kind: 'invalid' })
})

test('parseStringMap() and parseNullableStringMap() differ in null', () => {
  assert.deepEqual(parseNullableStringMap({ a: null, b: 'c' }, 'buildargs'), { a: null, b: 'c' })
  assert.throws(() => parseStringMap({ a: null }, 'labels'), { kind: 'invalid' })
  assert.deepEqual(parseStringMap(undefined, 'labels'), {})
})

test('the registry headers are base64url of JSON, and may be absent, empty or an empty object', () => {
  assert.deepEqual(parseAuthHeader(encoded({ username: 'u', password: 'p', email: 'left out' })), {
    username: 'u',
    password: 'p',
  })
  assert.deepEqual(parseAuthHeader(undefined), {})
  assert.deepEqual(parseAuthHeader('e30='), {})
  assert.deepEqual(parseAuthConfigHeader(encoded({ 'a.example': { identitytoken: 't' } })), {
    'a.example': { identitytoken: 't' },
  })
  for (const bad of ['bm9wZQ', '!!!', encoded('text'), encoded({ username: 7 })]) {
    assert.deepEqual(parseAuthHeader(bad), {})
    assert.deepEqual(parseAuthConfigHeader(bad), {})
  }
})
