import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expand, ExpansionError } from './lexer.ts'

const VALUES: Readonly<Record<string, string>> = { set: 'value', empty: '', v: 'foobarbaz', path: '/a/b/c.tar.gz' }
const variables = (name: string): string | undefined => (Object.hasOwn(VALUES, name) ? VALUES[name] : undefined)

/** Text and what it becomes. */
const TEXTS: readonly (readonly [string, string])[] = [
  ['$set', 'value'],
  ['${set}x', 'valuex'],
  ['$unset', ''],
  ['$', '$'],
  ['a$', 'a$'],
  ['$ x', '$ x'],
  ['\\$set', '$set'],
  ['\\${set}', '${set}'],
  ["'$set'", '$set'],
  ['"$set"', 'value'],
  ['"\\$set"', '$set'],
  ['"\\a"', '\\a'],
  ['\\a', 'a'],
  ['a\\', 'a'],
  ["it''s", 'its'],
  ['"it\'s"', "it's"],
  // the 24 cases: six modifiers × unset, empty, set, and a nested word
  ['${unset:-w}', 'w'],
  ['${empty:-w}', 'w'],
  ['${set:-w}', 'value'],
  ['${unset-w}', 'w'],
  ['${empty-w}', ''],
  ['${set-w}', 'value'],
  ['${unset:+w}', ''],
  ['${empty:+w}', ''],
  ['${set:+w}', 'w'],
  ['${unset+w}', ''],
  ['${empty+w}', 'w'],
  ['${set+w}', 'w'],
  ['${set:?e}', 'value'],
  ['${set?e}', 'value'],
  ['${empty?e}', ''],
  ['${unset:-${set}}', 'value'],
  ['${unset:-"a b"}', 'a b'],
  ['${unset:-$set/$set}', 'value/value'],
  // the reference's foobarbaz
  ['${v#f*b}', 'arbaz'],
  ['${v##f*b}', 'az'],
  ['${v%b*}', 'foobar'],
  ['${v%%b*}', 'foo'],
  ['${v/ba?/for}', 'fooforbaz'],
  ['${v//ba?/for}', 'fooforfor'],
  ['${path##*/}', 'c.tar.gz'],
  ['${path%.*}', '/a/b/c.tar'],
  ['${path%%.*}', '/a/b/c'],
  ['${path//\\//-}', '-a-b-c.tar.gz'],
  ['${path#\\*}', '/a/b/c.tar.gz'],
  ['${v#nothing}', 'foobarbaz'],
]

test('expand() knows every modifier', () => {
  for (const [text, expected] of TEXTS) assert.equal(expand(text, variables).text, expected, text)
})

test('expand() refuses what means nothing', () => {
  const table = [
    ['${unset:?is wanted}', 'unset: is wanted'],
    ['${unset?}', 'unset: is not allowed to be unset'],
    ['${empty:?}', 'empty: is not allowed to be empty'],
    ['${}', 'syntax error: bad substitution'],
    ['${{x}}', 'syntax error: bad substitution'],
    ['${set', "syntax error: missing '}'"],
    ['${set:-x', "syntax error: missing '}'"],
    ['${set:#x}', 'unsupported modifier (:#) in substitution'],
    ['${set!x}', 'unsupported modifier (!) in substitution'],
    ['${set/x}', "syntax error: missing '/' in ${}"],
    ["'x", 'unexpected end of statement while looking for matching single-quote'],
    ['"x', 'unexpected end of statement while looking for matching double-quote'],
  ] as const
  for (const [text, message] of table)
    assert.throws(
      () => expand(text, variables),
      (error) => error instanceof ExpansionError && error.message === message,
      text,
    )
})

test('expand() parts words at blanks outside of quotes', () => {
  assert.deepEqual(expand('a "b c" $set d\\ e', variables).words, ['a', 'b c', 'value', 'd e'])
  assert.deepEqual(expand('80 ${unset:-90 91}', variables).words, ['80', '90', '91'])
})

test('expand() with the other escape character leaves backslashes alone', () => {
  assert.equal(expand('c:\\$set`$set', variables, { escape: '`' }).text, 'c:\\value$set')
})

test('expand() names the variables that are not set', () => {
  assert.deepEqual(expand('$a ${set} ${b:-x}', variables).unset, ['a', 'b'])
})

test('expand() ends soon, with a text or an ExpansionError, whatever it is given', () => {
  const piece = fc.constantFrom('$', '{', '}', 'v', ':', '-', '+', '?', '#', '%', '/', '*', '"', "'", '\\', ' ', '😀')
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      try {
        expand(pieces.join(''), variables)
      } catch (error) {
        assert.ok(error instanceof ExpansionError)
      }
    }),
  )
  const long = { v: 'ab'.repeat(20_000) }
  assert.equal(expand(`\${v//${'a*'.repeat(50)}c/x}`, (name) => (name === 'v' ? long.v : undefined)).text, long.v)
  assert.throws(() => expand('${x:-'.repeat(50_000), () => undefined), ExpansionError)
})
