// A reporter for node --test: one line a file, failures in full, and the counts as JSON in the file that
// MICA_COUNTS names.
import { appendFileSync } from 'node:fs'
import { relative } from 'node:path'

export default async function* report(source) {
  const files = new Map()
  for await (const { type, data } of source) {
    if (type === 'test:fail') yield* failure(data)
    if (type === 'test:pass' || type === 'test:fail') count(files, type, data)
    if (type === 'test:stderr' || type === 'test:stdout') yield data.message
    if (type === 'test:summary' && data.file === undefined) {
      yield* lines(files)
      const { passed, failed, cancelled, skipped } = data.counts
      if (process.env.MICA_COUNTS)
        appendFileSync(process.env.MICA_COUNTS, `${JSON.stringify({ passed, failed: failed + cancelled, skipped })}\n`)
      yield `${passed} passed, ${failed + cancelled} failed${skipped ? `, ${skipped} skipped` : ''} in ${Math.round(data.duration_ms)} ms\n`
    }
  }
}

function count(files, type, data) {
  if (data.details?.type === 'suite') return
  const file = files.get(data.file) ?? { passed: 0, failed: 0, time: 0 }
  if (type === 'test:pass') file.passed += 1
  else file.failed += 1
  if (data.nesting === 0) file.time += data.details?.duration_ms ?? 0
  files.set(data.file, file)
}

function* failure(data) {
  const error = data.details?.error
  // A parent that fails for its children's sake says nothing new.
  if (error?.failureType === 'subtestsFailed') return
  const cause = error?.cause ?? error
  yield `✖ ${data.name} (${place(data)})\n${indent(cause?.stack ?? String(cause?.message ?? cause))}\n`
}

const place = (data) => `${relative(process.cwd(), data.file ?? '')}:${data.line ?? 0}`
const indent = (text) =>
  text
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n')

function* lines(files) {
  for (const [file, { passed, failed, time }] of files) {
    if (failed > 0)
      yield `✖ ${relative(process.cwd(), file ?? '')}: ${passed} passed, ${failed} failed in ${Math.round(time)} ms\n`
  }
}
