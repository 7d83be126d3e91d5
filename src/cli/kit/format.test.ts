import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatRows } from './format.ts'
import { parseFilterFlags } from './filter.ts'
import { parseKeys } from './keys.ts'
import { ellipsis, formatTable } from './table.ts'
import { formatTemplate } from './template.ts'
import { ago, apiTime, size } from './units.ts'

const columns = { ID: 'CONTAINER ID', Image: 'IMAGE', Names: 'NAMES' }
const rows = [
  { ID: '0123456789ab', Image: 'busybox', Names: 'one' },
  { ID: 'ba9876543210', Image: 'a-rather-long-name', Names: 'two' },
]
const shown = ['ID', 'Image', 'Names']

test('formatTable() pads as docker does: ten at least, three between', () => {
  assert.equal(formatTable(['CONTAINER ID', 'IMAGE', 'NAMES'], []), 'CONTAINER ID   IMAGE     NAMES\n')
  assert.equal(formatTable(['ID', 'COMMENT'], [['ü', '']]), 'ID        COMMENT\nü         \n')
})

test('formatRows() prints a table, JSON lines, templates and tables of templates', () => {
  const table: readonly (readonly [string | undefined, string])[] = [
    [
      undefined,
      'CONTAINER ID   IMAGE                NAMES\n0123456789ab   busybox              one\nba9876543210   a-rather-long-name   two\n',
    ],
    ['json', `${JSON.stringify(rows[0])}\n${JSON.stringify(rows[1])}\n`],
    ['{{.Names}}: {{ .Image }}', 'one: busybox\ntwo: a-rather-long-name\n'],
    ['table {{.Names}}\\t{{.ID}}', 'NAMES     CONTAINER ID\none       0123456789ab\ntwo       ba9876543210\n'],
  ]
  for (const [format, expected] of table) assert.equal(formatRows(rows, { columns, shown, format }), expected)
})

test('formatTemplate() knows fields, json, len and index', () => {
  const value = {
    State: { Status: 'running', Pid: 5, Dead: false },
    Cmd: ['a', 'b'],
    Labels: { 'x.y': 'z' },
    Empty: null,
    Health: null,
  }
  const table: readonly (readonly [string, string])[] = [
    ['{{.State.Status}}', 'running'],
    ['{{.State.Pid}} {{.State.Dead}}', '5 false'],
    ['{{json .Cmd}}', '["a","b"]'],
    ['{{.Cmd}} {{len .Cmd}}', '[a b] 2'],
    ['{{.Labels}}', 'map[x.y:z]'],
    ['{{index .Labels "x.y"}}', 'z'],
    ['{{.Empty}} {{json .Empty}} {{.Health}}', '[] null <nil>'],
    ['a\\tb', 'a\\tb'],
  ]
  for (const [template, expected] of table) assert.equal(formatTemplate(template, value), expected, template)
})

test('formatTemplate() says what is wrong in docker’s words', () => {
  const table: readonly (readonly [string, number, RegExp])[] = [
    [
      '{{.Nosuch}}',
      1,
      /^template parsing error: template: :1:2: executing "" at <\.Nosuch>: map has no entry for key "Nosuch"$/,
    ],
    ['{{.constructor}}', 1, /no entry for key/],
    ['{{nosuch}}', 64, /^template parsing error: template: :1: function "nosuch" not defined$/],
  ]
  for (const [template, exit, message] of table) assert.throws(() => formatTemplate(template, {}), { exit, message })
})

test('ellipsis() cuts by code points', () => {
  assert.equal(ellipsis('abcdef', 6), 'abcdef')
  assert.equal(ellipsis('abcdefg', 6), 'abcde…')
  assert.equal(ellipsis('\u{1F600}\u{1F600}\u{1F600}', 2), '\u{1F600}…')
})

test('size() and ago() speak as docker does', () => {
  const sizes: readonly (readonly [number, string])[] = [
    [0, '0B'],
    [999, '999B'],
    [1230, '1.23kB'],
    [2_063_000, '2.06MB'],
    [164_300_000, '164MB'],
  ]
  for (const [bytes, text] of sizes) assert.equal(size(bytes), text)
  assert.equal(ago(0, 21 * 24 * 3_600_000), '3 weeks ago')
  assert.equal(ago(10_000, 0), 'Less than a second ago')
})

test('parseFilterFlags() gathers values by name', () => {
  assert.equal(parseFilterFlags([]), undefined)
  assert.equal(
    parseFilterFlags(['status=running', 'label=a=b', 'STATUS=exited']),
    '{"status":["running","exited"],"label":["a=b"]}',
  )
  assert.throws(() => parseFilterFlags(['x']), { exit: 125, message: /bad format of filter/ })
})

test('parseKeys() reads detach sequences', () => {
  assert.deepEqual([...parseKeys(undefined)], [16, 17])
  assert.deepEqual([...parseKeys('ctrl-a,x,ctrl-[')], [1, 120, 27])
  assert.throws(() => parseKeys('ctrl-1'), /Unknown character: 'ctrl-1'/)
})

test('apiTime() leaves numbers as they are, and counts durations from here', () => {
  const table: readonly (readonly [string | undefined, string | undefined])[] = [
    [undefined, undefined],
    ['', undefined],
    ['10', '10'],
    ['5.5', '5.5'],
    ['1m', '40.000000000'],
    ['1970-01-01T00:00:05.5Z', '5.500000000'],
    ['1970-01-01T00:00:05.5+02:00', '-7195.500000000'],
  ]
  for (const [text, expected] of table) assert.equal(apiTime(text, 100_000), expected, text)
  assert.throws(() => apiTime('soon', 0), { kind: 'invalid' })
})
