import { runProgram } from '#test/docker'
import { testAreas } from '#test/line-areas'
import type { Answer } from '#test/lines'
import { ownMountNamespace } from '#test/mount-namespace'
import { join } from 'node:path'

ownMountNamespace()

/** What docs/differs.md names of every line: (own-name), (no-warning) and (in-place). */
const EVERYWHERE: readonly (readonly [RegExp, string])[] = [
  [/^Sending build context to (Docker|mica) daemon [^\n]*\n/gm, ''],
  [/\bmica\b/g, 'docker'],
  [/\bDocker daemon\b/g, 'docker daemon'],
  [/^DEPRECATED: The legacy builder .*\n( {12}.*\n)+\n/gm, ''],
]

function settled(text: string): string {
  return EVERYWHERE.reduce((left, [what, by]) => left.replaceAll(what, by), text)
}

const program = join(import.meta.dirname, '..', '..', 'bin', 'mica')
// The first call bundles what is newer than the bundle: that is none of the first line's time.
await runProgram(program, ['--help'])

testAreas({
  program,
  // Whatever docker client the machine has: mica's own speaks as this one.
  major: '28',
  marks: ['mica', '28', '*'],
  settle: (answer: Answer) => ({ ...answer, stdout: settled(answer.stdout), stderr: settled(answer.stderr) }),
})
