import { mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Outcome } from './docker.ts'
import { runProgram } from './docker.ts'
import { maskAnswer } from './mask.ts'

/** Where the lines lie, a file an area, and below it the answers of a real Docker, a folder a docker CLI. */
const LINES = join(import.meta.dirname, '..', 'conformance', 'lines')

/** One line for a shell, with `docker` in it. */
export interface Line {
  readonly text: string
  /** The entry of docs/differs.md that says why mica answers otherwise, by the client: a major version of docker's, or `mica`; `*` is every. */
  readonly differs: ReadonlyMap<string, string>
}

/** Lines that share containers and a folder, in order. */
export interface Area {
  readonly name: string
  readonly lines: readonly Line[]
}

/** What a line said, without what must differ from one run to the next. */
export interface Answer extends Outcome {
  readonly line: string
}

/** All areas in the order in which they run: that of their names. */
export function readAreas(): readonly Area[] {
  const files = readdirSync(LINES).filter((file) => file.endsWith('.txt'))
  return files.sort().map((file) => ({
    name: basename(file, '.txt'),
    lines: parseLines(readFileSync(join(LINES, file), 'utf8')),
  }))
}

/**
 * `# …` is a comment, `#differs ID` belongs to the next line, `#differs-20 ID` too for that docker CLI alone and
 * `#differs-mica ID` for mica's own, `\` at the end joins a line to the next.
 */
function parseLines(text: string): readonly Line[] {
  const lines: Line[] = []
  let differs = new Map<string, string>()
  for (const line of text.replaceAll(/\\\n\s*/g, '').split('\n')) {
    const [, major = '*', mark] = /^#differs(?:-(\d+|mica))? (\S+)$/.exec(line) ?? []
    if (mark !== undefined) differs.set(major, mark)
    if (line === '' || line.startsWith('#')) continue
    lines.push({ text: line, differs })
    differs = new Map()
  }
  return lines
}

export interface LineTarget {
  /** A docker client, or mica's. */
  readonly docker: string
  readonly host: string
  /** An empty folder for the lines' own files. */
  readonly folder: string
}

/** Kills the line's whole process group after so many seconds. */
const PATIENCE = ['-s', 'KILL', '20']

/** Runs an area's lines one after another, each by a shell of its own in the area's folder. */
export async function runArea(area: Area, target: LineTarget): Promise<readonly Answer[]> {
  const programs = join(target.folder, 'programs')
  const work = join(target.folder, area.name)
  mkdirSync(programs, { recursive: true })
  mkdirSync(work)
  if (!readdirSync(programs).includes('docker')) symlinkSync(target.docker, join(programs, 'docker'))
  const env = {
    PATH: `${programs}:${process.env['PATH']}`,
    LC_ALL: 'C',
    DOCKER_HOST: target.host,
    DOCKER_CONFIG: join(target.folder, 'config'),
    DOCKER_BUILDKIT: '0',
  }
  const answers: Answer[] = []
  for (const { text } of area.lines) {
    // timeout(1) ends what the shell left running too, which would hold the streams open.
    const outcome = await runProgram('timeout', [...PATIENCE, '/bin/sh', '-c', text], { cwd: work, env })
    answers.push({ line: text, ...maskAnswer(outcome, target.folder) })
  }
  return answers
}

/** The major version of a docker client: its words change from one to the next. */
export async function clientMajor(docker: string): Promise<string> {
  const { stdout } = await runProgram(docker, ['--version'])
  const major = /version (\d+)\./.exec(stdout)?.[1]
  if (major === undefined) throw new Error(`${docker} does not tell its version: ${stdout}`)
  return major
}

/** Where the answers given through a docker CLI of this major version are kept. */
export function answersFolder(major: string): string {
  return join(LINES, `docker-${major}`)
}
