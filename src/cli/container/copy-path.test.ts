import assert from 'node:assert/strict'
import { test } from 'node:test'
import { absolute, parseEnd, planCopy, renamed, splitEntry } from './copy-path.ts'

test('parseEnd() tells containers from paths', () => {
  assert.deepEqual(parseEnd('box:/a:b'), { container: 'box', path: '/a:b' })
  for (const path of ['/a:b', './a:b', '-', 'plain']) assert.deepEqual(parseEnd(path), { path })
  assert.deepEqual(parseEnd('box:'), { container: 'box', path: '' })
})

for (const [path, dir, base] of [
  ['/a/b', '/a', 'b'],
  ['/a/b/', '/a', 'b'],
  ['/a/b/.', '/a/b', '.'],
  ['/', '/', '/'],
  ['name', '.', 'name'],
] as const)
  test(`splitEntry() takes ${path} apart`, () => assert.deepEqual(splitEntry(path), { dir, base }))

test('absolute() keeps what asserts a folder', () => {
  assert.deepEqual(
    ['a', 'a/', 'a/.', '.', '../x', '/'].map((path) => absolute('/home/me', path)),
    ['/home/me/a', '/home/me/a/', '/home/me/a/.', '/home/me/.', '/home/x', '/'],
  )
})

for (const [what, isFolder, target, expected] of [
  ['a file into a folder', false, { path: '/d', kind: 'folder' }, { folder: '/d' }],
  ['a file over a file', false, { path: '/d/f', kind: 'file' }, { folder: '/d', name: 'f' }],
  ['a file to a new name', false, { path: '/d/new', kind: 'nothing' }, { folder: '/d', name: 'new' }],
  ['a folder to a new name', true, { path: '/d/new/', kind: 'nothing' }, { folder: '/d', name: 'new' }],
] as const)
  test(`planCopy() brings ${what}`, () => assert.deepEqual(planCopy({ path: '/s', isFolder }, target), expected))

test('planCopy() refuses a folder over a file, and a file where a folder is asked for', () => {
  assert.throws(
    () => planCopy({ path: '/s', isFolder: true }, { path: '/f', kind: 'file' }),
    /^\S*.*cannot copy directory/,
  )
  assert.throws(() => planCopy({ path: '/s', isFolder: false }, { path: '/n/', kind: 'nothing' }), /no such directory/)
})

test('renamed() changes only the first name', () => {
  assert.equal(renamed('a/a/b', 'a', 'new'), 'new/a/b')
  assert.equal(renamed('./a', '.', 'new'), 'new/a')
  assert.equal(renamed('/etc', '/', 'root'), 'root/etc')
  assert.equal(renamed('a/b', 'a', undefined), 'a/b')
})
