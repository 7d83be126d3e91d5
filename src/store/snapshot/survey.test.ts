import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { surveyTree } from './survey.ts'

const folder = mkdtempSync(join(tmpdir(), 'mica-survey-'))
after(() => rmSync(folder, { recursive: true }))
const context = { cancelled: () => false, report: () => undefined }

function du(path: string): number {
  return Number.parseInt(execFileSync('du', ['-xs', '--block-size=1', path], { encoding: 'utf8' }), 10)
}

function makeTree(): string {
  const root = mkdtempSync(join(folder, 'root-'))
  mkdirSync(join(root, 'shelf/one/deep'), { recursive: true })
  mkdirSync(join(root, 'shelf/two'), { recursive: true })
  writeFileSync(join(root, 'shelf/one/deep/file'), 'x'.repeat(10_000))
  linkSync(join(root, 'shelf/one/deep/file'), join(root, 'shelf/two/same file'))
  symlinkSync('a'.repeat(200), join(root, 'shelf/two/link'))
  writeFileSync(join(root, 'loose'), 'y')
  return root
}

const sum = (items: readonly { readonly size: number }[]): number => items.reduce((all, { size }) => all + size, 0)

test('surveyTree() tells entries of split folders one by one; their sum is what du says', () => {
  const root = makeTree()
  const items = surveyTree({ root, split: ['shelf'], known: {} }, context)
  assert.deepEqual(
    items.map(({ path, split }) => `${path}${split ? ' split' : ''}`),
    [' split', 'loose', 'shelf split', 'shelf/one', 'shelf/two'],
  )
  assert.equal(sum(items), du(root))
  assert.equal(sum(surveyTree({ root, split: [], known: {} }, context)), du(root))
})

test('surveyTree() does not walk through what is known, and counts what was said of it', () => {
  const root = makeTree()
  const walked = surveyTree({ root, split: ['shelf'], known: {} }, context)
  const one = (items: typeof walked): number => items.find(({ path }) => path === 'shelf/one')?.size ?? 0
  const inner = du(join(root, 'shelf/one'))
  const known = surveyTree({ root, split: ['shelf'], known: { 'shelf/one': 5 } }, context)
  assert.equal(one(walked), inner)
  assert.equal(one(known), inner - du(join(root, 'shelf/one/deep')) + 5)
})
