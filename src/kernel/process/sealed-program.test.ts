import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { sealProgram } from './sealed-program.ts'
import { runProcess } from './spawn.ts'

test('sealProgram() gives a copy that runs and cannot be changed', async () => {
  using sealed = sealProgram(process.execPath)
  const { status, stdout } = await runProcess(sealed.path, ['-p', '6 * 7'])
  assert.deepEqual([status.code, stdout.toString()], [0, '42\n'])
  assert.throws(() => writeFileSync(sealed.path, 'x'))
})

test('sealProgram() of nothing is an error', () =>
  assert.throws(() => sealProgram('/nowhere/program'), { code: 'ENOENT' }))
