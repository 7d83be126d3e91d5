import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isKind } from '#base'
import { checkFilterNames, filterFinds, filterFlag, filterHas, filterLabels, parseFilters } from './filters.ts'

test('parseFilters() reads a map of lists and the old map of maps', () => {
  assert.deepEqual(parseFilters('{"label":["a","b=c"]}'), new Map([['label', ['a', 'b=c']]]))
  assert.deepEqual(parseFilters('{"label":{"a":true,"b":false}}'), new Map([['label', ['a']]]))
  assert.deepEqual(parseFilters(undefined), new Map())
  assert.deepEqual(parseFilters(''), new Map())
  assert.deepEqual(parseFilters('null'), new Map())
  assert.deepEqual(parseFilters('{"label":null}'), new Map([['label', []]]))
})

for (const text of [
  'foo',
  '[]',
  '"x"',
  '{"a":1}',
  '{"a":[1]}',
  '{"a":["x",null]}',
  `{"a":["${'x'.repeat(70_000)}"]}`,
]) {
  test(`parseFilters() refuses ${text.slice(0, 20)}`, () => {
    assert.throws(() => parseFilters(text), { kind: 'invalid', message: 'invalid filter' })
  })
}

test('checkFilterNames() names the filter that is not known', () => {
  const filters = parseFilters('{"name":["x"],"foo":["y"]}')
  assert.throws(() => checkFilterNames(filters, ['name']), { message: "invalid filter 'foo'" })
  checkFilterNames(filters, ['name', 'foo'])
})

test('filterFlag() takes one answer, and refuses two or none', () => {
  assert.equal(filterFlag(parseFilters('{"dangling":["true"]}'), 'dangling', undefined), true)
  assert.equal(filterFlag(parseFilters('{"dangling":["0","false"]}'), 'dangling', undefined), false)
  assert.equal(filterFlag(parseFilters(undefined), 'dangling', 'absent'), 'absent')
  for (const values of ['["true","false"]', '["nope"]']) {
    const filters = parseFilters(`{"dangling":${values}}`)
    assert.throws(
      () => filterFlag(filters, 'dangling', undefined),
      (error) => isKind(error, 'invalid'),
    )
  }
})

test('filterHas() is true for one of the values, and where nothing was asked', () => {
  assert.equal(filterHas(parseFilters('{"status":["exited","dead"]}'), 'status', 'dead'), true)
  assert.equal(filterHas(parseFilters('{"status":["exited"]}'), 'status', 'dead'), false)
  assert.equal(filterHas(parseFilters('{"status":[]}'), 'status', 'dead'), true)
  assert.equal(filterHas(parseFilters(undefined), 'status', 'dead'), true)
})

test('filterFinds() looks inside, by regular expression, and a malformed one finds nothing', () => {
  const name = (value: string) => parseFilters(JSON.stringify({ name: [value] }))
  assert.equal(filterFinds(name('web'), 'name', 'my-web-1'), true)
  assert.equal(filterFinds(name('^/web$'), 'name', 'web', '/web'), true)
  assert.equal(filterFinds(name('^web$'), 'name', 'my-web'), false)
  assert.equal(filterFinds(name('('), 'name', 'x'), false)
  assert.equal(filterFinds(name('('), 'name', '('), true)
})

const LABELS: readonly { readonly filters: string; readonly fits: boolean }[] = [
  { filters: '{}', fits: true },
  { filters: '{"label":["a"]}', fits: true },
  { filters: '{"label":["a=1"]}', fits: true },
  { filters: '{"label":["a=2"]}', fits: false },
  { filters: '{"label":["a","b"]}', fits: false },
  { filters: '{"label":["c=x=y"]}', fits: true },
  { filters: '{"label!":["a"]}', fits: false },
  { filters: '{"label!":["b"]}', fits: true },
  { filters: '{"label":["toString"]}', fits: false },
]

for (const { filters, fits } of LABELS) {
  test(`filterLabels() ${fits ? 'keeps' : 'drops'} a=1, c=x=y for ${filters}`, () => {
    assert.equal(filterLabels(parseFilters(filters), { a: '1', c: 'x=y' }), fits)
  })
}
