// node scripts/record-lines.mjs --host unix:///path/docker.sock --docker /path/docker [AREA…]
// Writes what a real Docker answers to the lines of test/conformance/lines, for lines.test.ts to compare with.
// The engine must be empty and its own: lines list, prune and count everything. Its registry mirror has to be the one
// of the set-up (npm start says where it listens), so that its busybox is the one that mica pulls.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { answersFolder, clientMajor, readAreas, runArea } from '#test/lines'

const { values, positionals } = parseArgs({
  options: { host: { type: 'string' }, docker: { type: 'string', default: 'docker' } },
  allowPositionals: true,
})
if (!values.host) throw new Error('--host unix:///path/docker.sock is needed: an engine that may be emptied')
const docker = execFileSync('/bin/sh', ['-c', 'command -v "$0"', values.docker], { encoding: 'utf8' }).trim()
const ask = (...args) => execFileSync(docker, ['-H', values.host, ...args], { encoding: 'utf8' }).trim()
if (ask('ps', '-aq') + ask('images', '-q') + ask('volume', 'ls', '-q') !== '')
  throw new Error(`${values.host} is not empty: the lines need an engine of their own`)

const major = await clientMajor(docker)
const folder = mkdtempSync(join(tmpdir(), 'mica-lines-'))
mkdirSync(answersFolder(major), { recursive: true })
try {
  for (const area of readAreas()) {
    const begun = Date.now()
    const answers = await runArea(area, { docker, host: values.host, folder })
    console.log(`${area.name}: ${answers.length} lines, ${Date.now() - begun} ms`)
    if (positionals.length > 0 && !positionals.includes(area.name)) continue
    writeFileSync(join(answersFolder(major), `${area.name}.json`), `${JSON.stringify(answers, undefined, 1)}\n`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
