import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { cleanPath, parseIgnore } from './ignore.ts'
import { DockerfileError } from './source.ts'

interface Case {
  readonly patterns: readonly string[]
  readonly path: string
  readonly ignored: boolean | null
  readonly note?: string
}

/** Answers of the real docker CLI and daemon. */
const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('testdata/dockerignore-cases.json', import.meta.url), 'utf8'),
).cases

test('parseIgnore() answers all recorded cases as docker does', () => {
  assert.equal(cases.length, 69)
  for (const { patterns, path, ignored, note } of cases) {
    const name = `${JSON.stringify(patterns)} ${path}`
    const rules = () => parseIgnore(patterns.join('\n'))
    // The CLI's walk left a folder out before it saw the exception; BuildKit and mica let the file in.
    const expected = note === undefined ? ignored : false
    if (expected === null) assert.throws(rules, { name: 'DockerfileError', message: /syntax error in pattern/ }, name)
    else assert.equal(rules().ignores(path), expected, name)
  }
})

test('parseIgnore() takes back only what was ignored before', () => {
  const rules = parseIgnore('!b\nb\n')
  assert.equal(rules.ignores('b'), true)
  assert.equal(rules.hasExceptions, true)
})

test('parseIgnore() throws only DockerfileError', () => {
  const piece = fc.constantFrom('*', '**', '?', '[', ']', '^', '-', 'a', '/', '!', '\\', ' ', '\n', '.', '..', '#', '{')
  fc.assert(
    fc.property(fc.array(piece), fc.array(piece), (text, path) => {
      try {
        parseIgnore(text.join('')).ignores(path.join(''))
      } catch (error) {
        assert.ok(error instanceof DockerfileError)
      }
    }),
  )
})

test('ignores() stays fast for patterns made to be slow', () => {
  const rules = parseIgnore(`${'*a'.repeat(60)}b\n${'**/a/'.repeat(60)}b`)
  assert.equal(rules.ignores('a'.repeat(800)), false)
  assert.equal(rules.ignores('a/'.repeat(200)), false)
})

test('cleanPath() shortens as filepath.Clean does', () => {
  const table = [
    ['', '.'],
    ['a//b/./c', 'a/b/c'],
    ['a/../b', 'b'],
    ['../x', '../x'],
    ['/../x', '/x'],
    ['/', '/'],
    ['a/..', '.'],
  ] as const
  for (const [path, cleaned] of table) assert.equal(cleanPath(path), cleaned)
})
