import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkLog, logLimits } from './log-options.ts'

const limits = (options: Readonly<Record<string, string>>) => logLimits({ driver: 'json-file', options })

test('logLimits() is five files of 20 MB, and what is asked for', () => {
  assert.deepEqual(limits({}), { maxSize: 20_000_000, maxFiles: 5 })
  for (const [text, size] of [
    ['10', 10],
    ['10b', 10],
    ['1k', 1024],
    ['2M', 2 << 20],
    ['1.5g', 1.5 * (1 << 30)],
    ['1 kb', 1024],
    ['1KiB', 1024],
    ['-1', Number.POSITIVE_INFINITY],
  ] as const)
    assert.equal(limits({ 'max-size': text })?.maxSize, size, text)
  assert.equal(limits({ 'max-file': '2' })?.maxFiles, 2)
  assert.equal(logLimits({ driver: 'none', options: {} }), undefined)
})

for (const [driver, options, message] of [
  ['foo', {}, 'error looking up logging plugin foo: plugin "foo" not found'],
  ['syslog', {}, '--log-driver syslog: not yet carried out by mica'],
  ['none', { 'max-size': '1m' }, 'invalid logging opts for driver none'],
  ['json-file', { foo: '1' }, "unknown log opt 'foo' for json-file log driver"],
  ['local', { foo: '1' }, "unknown log opt 'foo' for log driver local"],
  ['json-file', { mode: 'foo' }, 'logger: logging mode not supported: foo'],
  ['json-file', { mode: 'non-blocking' }, '--log-opt mode: not yet carried out by mica (mode=non-blocking)'],
  ['json-file', { compress: 'true' }, '--log-opt compress: not yet carried out by mica (compress=true)'],
  ['json-file', { 'max-size': 'abc' }, /: failed to initialize logging driver: invalid size: 'abc'$/],
  ['json-file', { 'max-size': '0' }, /: failed to initialize logging driver: max-size must be a positive number$/],
  ['json-file', { 'max-file': 'x' }, /driver: strconv\.Atoi: parsing "x": invalid syntax$/],
  ['local', { 'max-file': '0' }, /driver: max-file cannot be less than 1$/],
] as const)
  test(`checkLog() refuses ${driver} ${JSON.stringify(options)}`, () => {
    assert.throws(() => checkLog({ driver, options }), { kind: 'invalid', message })
  })

test('checkLog() takes what is carried out', () => {
  for (const driver of ['json-file', 'local'])
    checkLog({ driver, options: { 'max-size': '1m', 'max-file': '3', mode: 'blocking', compress: 'false' } })
  checkLog({ driver: 'none', options: {} })
})
