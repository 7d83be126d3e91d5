import { parseDirectives } from './directives.ts'
import { createDraft } from './draft.ts'
import { parseInstruction } from './instruction.ts'
import { lint } from './lint.ts'
import { logicalLines } from './lines.ts'
import type { LogicalLine } from './lines.ts'
import { createSource, sourceError } from './source.ts'
import type { Source } from './source.ts'
import type { ArgInstruction, Dockerfile, FromInstruction, Instruction, Stage } from './types.ts'

/**
 * Reads a whole Dockerfile: directives, instructions by stage, lint warnings. Nothing is expanded yet: that needs
 * the values of a build. Throws only `DockerfileError`.
 */
export function parseDockerfile(text: string, file = 'Dockerfile'): Dockerfile {
  const source = createSource(file, text.replace(/^\uFEFF/, ''))
  const directives = parseDirectives(source)
  const lines = [...logicalLines(source, directives.escape)]
  const instructions = lines.map((line) => parseInstruction(createDraft(source, line, directives.escape)))
  if (instructions.length === 0)
    throw sourceError(source, wholeFile(source), 'failed to parse Dockerfile: file with no instructions')
  const { globalArgs, stages } = byStage(source, instructions)
  const parsed = { source, directives, globalArgs, stages, warnings: [] }
  return { ...parsed, warnings: lint(parsed, emptyContinuations(lines)) }
}

/** One instruction out of an ONBUILD trigger or a `--change`; `origin` names it in errors. FROM is refused. */
export function parseTrigger(text: string, origin: string): { instruction: Instruction; source: Source } {
  const source = createSource(origin, text)
  const [line, ...others] = [...logicalLines(source, '\\')]
  if (line === undefined || others.length > 0)
    throw sourceError(source, wholeFile(source), `${origin} must be one instruction`)
  const instruction = parseInstruction(createDraft(source, line, '\\'))
  if (instruction.kind === 'from')
    throw sourceError(source, instruction.range, "FROM isn't allowed as an ONBUILD trigger")
  return { instruction, source }
}

function byStage(source: Source, instructions: readonly (Instruction | FromInstruction)[]) {
  const globalArgs: ArgInstruction[] = []
  const stages: { index: number; from: FromInstruction; instructions: Instruction[] }[] = []
  for (const instruction of instructions) {
    const stage = stages.at(-1)
    if (instruction.kind === 'from') stages.push({ index: stages.length, from: instruction, instructions: [] })
    else if (stage !== undefined) stage.instructions.push(instruction)
    else if (instruction.kind === 'arg') globalArgs.push(instruction)
    else throw sourceError(source, instruction.range, 'no build stage in current context')
  }
  return { globalArgs, stages: stages as readonly Stage[] }
}

function emptyContinuations(lines: readonly LogicalLine[]) {
  return lines.flatMap((line) => line.emptyContinuation ?? [])
}

function wholeFile(source: Source) {
  return { file: source.file, start: { line: 1, column: 1 }, end: { line: 1, column: 1 } }
}
