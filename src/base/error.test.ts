import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageOf } from './error.ts'

test('messageOf() leaves out the descriptor that a path was opened by', () => {
  const error = new Error("ENAMETOOLONG: name too long, lstat '/proc/self/fd/52/long/name'")
  assert.equal(messageOf(error), "ENAMETOOLONG: name too long, lstat 'long/name'")
  assert.deepEqual([messageOf(new Error('/proc/self/fd')), messageOf('text')], ['/proc/self/fd', 'text'])
})

test('messageOf() tells of a system call as Go does', () => {
  const failing = (code: string, words: string, syscall: string, path?: string): unknown =>
    Object.assign(new Error(`${code}: ${words}, ${syscall} '${path}'`), { code, syscall, path })
  assert.equal(messageOf(failing('ENOTDIR', 'not a directory', 'mkdir', '/a/b')), 'mkdir /a/b: not a directory')
  assert.equal(
    messageOf(failing('EBUSY', 'resource busy or locked', 'unlink', '/proc/self/fd/7/hosts')),
    'unlink hosts: device or resource busy',
  )
  assert.equal(messageOf(failing('EPIPE', 'broken pipe', 'write')), "EPIPE: broken pipe, write 'undefined'")
})
