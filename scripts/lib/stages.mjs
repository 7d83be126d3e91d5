// The stages of npm run check and npm test, and their sum.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modules, project, projectNode, tool } from './place.mjs'
import { pass, say } from './run.mjs'
import { filesUnder } from './files.mjs'

/** Runs stages one after another and keeps their counts; a stage that is not a test run counts as one. */
export function createTally() {
  const failed = []
  const total = { passed: 0, failed: 0, skipped: 0 }
  const folder = mkdtempSync(join(tmpdir(), 'mica-counts-'))
  const add = (name, counts) => {
    total.passed += counts.passed
    total.failed += counts.failed
    total.skipped += counts.skipped ?? 0
    if (counts.failed > 0) failed.push(name)
  }
  return {
    /** A program whose exit status says it all. */
    async stage(name, [file, ...args]) {
      const begun = Date.now()
      const status = await pass(file, args, { cwd: project, env: environment() })
      say(`${status === 0 ? '✔' : '✖'} ${name} (${seconds(begun)})`)
      add(name, status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 })
    },
    /** Test files in one run of node --test, each in a process of its own. */
    async tests(name, files, { apart = false, concurrency = 2, env = {} } = {}) {
      if (files.length === 0) return
      const begun = Date.now()
      const counts = join(folder, 'counts')
      const node = [
        projectNode(),
        '--test',
        `--test-reporter=${join(project, 'scripts/lib/report.mjs')}`,
        '--test-reporter-destination=stdout',
        `--test-concurrency=${concurrency}`,
        ...files,
      ]
      const [file, ...args] = apart ? ['unshare', '--mount', '--propagation', 'slave', '--', ...node] : node
      const status = await pass(file, args, { cwd: project, env: { ...environment(), ...env, MICA_COUNTS: counts } })
      const sum = readCounts(counts)
      if (status !== 0 && sum.failed === 0) sum.failed = 1
      say(`${status === 0 ? '✔' : '✖'} ${name} (${seconds(begun)})`)
      add(name, sum)
    },
    /** The closing lines; sets the exit status. */
    close() {
      rmSync(folder, { recursive: true, force: true })
      if (failed.length > 0) say(`\nfailed: ${failed.join(', ')}`)
      say(`\n${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`)
      if (total.failed > 0) process.exitCode = 1
    },
  }
}

function environment() {
  const path = `${join(modules, '.bin')}:${process.env.PATH}`
  return { ...process.env, PATH: path, FORCE_COLOR: '0', NODE_NO_WARNINGS: '1' }
}

function readCounts(path) {
  const sum = { passed: 0, failed: 0, skipped: 0 }
  if (!existsSync(path)) return sum
  for (const line of readFileSync(path, 'utf8').trim().split('\n')) {
    const counts = JSON.parse(line)
    for (const key of Object.keys(sum)) sum[key] += counts[key]
  }
  rmSync(path)
  return sum
}

const seconds = (begun) => `${((Date.now() - begun) / 1000).toFixed(1)} s`

/** Types, lint, format and dead code. */
export async function staticStages(tally) {
  await tally.stage('types', [...tool('tsc'), '--noEmit'])
  await tally.stage('lint', [...tool('oxlint'), '--type-aware', 'src', 'test'])
  await tally.stage('format', [...tool('oxfmt'), '--check', 'src', 'test', 'scripts'])
  await tally.stage('dead code', [...tool('knip')])
}

/** Tests that need no root: those beside the sources, and the architecture's. */
export function unitFiles() {
  return [...filesUnder('src', '.test.ts'), ...filesUnder('test', '.test.ts', { deep: false })]
}
