import { expandFrom, sourceError } from '#dockerfile'
import type { CopyInstruction, Dockerfile, FromInstruction, Instruction, Stage } from '#dockerfile'
import { invalid } from '#base'

/** Where a stage begins, or what `COPY --from` reads. */
export type Origin =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly name: string; readonly platform?: string }

/** One line of the Dockerfile to carry out; numbers run from 1 over all that is needed, in the file's order. */
export interface Step {
  readonly number: number
  readonly text: string
  readonly node: Instruction | FromInstruction
}

export interface PlannedStage {
  readonly index: number
  readonly name?: string
  readonly from: FromInstruction
  readonly origin: Origin
  readonly steps: readonly Step[]
  /** Stages that must be done first: the one it begins with and those it copies from. */
  readonly needs: readonly number[]
}

/** What a build will do, before anything is done. Stages that the target does not need are left out. */
export interface Plan {
  readonly stages: readonly PlannedStage[]
  /** ARGs before the first FROM are steps too, as in Docker's counting. */
  readonly globals: readonly Step[]
  readonly target: number
  readonly count: number
}

export interface PlanOptions {
  readonly target?: string
  readonly globals: ReadonlyMap<string, string>
  /** One more step at the end. */
  readonly labels: Readonly<Record<string, string>>
}

/** Pure. Throws `DockerfileError` for stages and bases that cannot be. */
export function planBuild(file: Dockerfile, options: PlanOptions): Plan {
  const target = targetOf(file, options.target)
  const origins = file.stages.map((stage) => originOf(file, stage, options.globals))
  const needed = reachable(file, origins, target)
  const labels = Object.keys(options.labels).length > 0
  const globals = file.globalArgs.map((node, index) => ({ number: index + 1, text: node.text, node }))
  let number = globals.length
  const stages = file.stages.flatMap((stage, index): PlannedStage[] => {
    if (!needed.has(index)) return []
    const steps = [stage.from, ...stage.instructions].map((node) => ({ number: (number += 1), text: node.text, node }))
    const origin = origins[index] ?? { kind: 'scratch' }
    const name = stage.from.alias === undefined ? {} : { name: stage.from.alias }
    return [{ index, ...name, from: stage.from, origin, steps, needs: needsOf(file, stage, origin) }]
  })
  return { stages, globals, target, count: number + (labels ? 1 : 0) }
}

/** The stage that a name or number means to a later stage `before`; the last of a name counts. */
function findStage(file: Dockerfile, name: string, before: number): number | undefined {
  const named = file.stages.findLastIndex((stage, index) => index < before && stage.from.alias === name.toLowerCase())
  if (named >= 0) return named
  return /^\d{1,6}$/.test(name) && Number(name) < before ? Number(name) : undefined
}

/** What `COPY --from` means in the stage `index`. */
export function copyOrigin(file: Dockerfile, node: CopyInstruction, index: number): Origin | undefined {
  if (node.from === undefined) return undefined
  const stage = findStage(file, node.from, index)
  if (stage !== undefined) return { kind: 'stage', index: stage }
  if (/^\d+$/.test(node.from))
    throw sourceError(file.source, node.range, `invalid from flag value ${node.from}: index out of bounds`)
  return { kind: 'image', name: node.from }
}

/**
 * What a step may do with files of a context that goes with the build: `move` them where it is the only one that reads it,
 * `link` them beside others; a trigger of a base, which no plan knows, is to copy them.
 */
export function contextUse({ stages }: Plan, node: CopyInstruction): 'move' | 'link' | 'copy' {
  const readers = stages
    .flatMap(({ steps }) => steps)
    .flatMap((step) => ((step.node.kind === 'copy' || step.node.kind === 'add') && !step.node.from ? [step.node] : []))
  // the variables are put into a copy of the instruction: its range is the same
  if (!readers.some(({ range }) => range === node.range)) return 'copy'
  return stages.length === 1 && readers.length === 1 ? 'move' : 'link'
}

function targetOf(file: Dockerfile, target: string | undefined): number {
  if (target === undefined || target === '') return file.stages.length - 1
  const index = findStage(file, target, file.stages.length)
  if (index === undefined) throw invalid(`target stage ${JSON.stringify(target)} could not be found`)
  return index
}

function originOf(file: Dockerfile, stage: Stage, globals: ReadonlyMap<string, string>): Origin {
  const context = { source: file.source, escape: file.directives.escape }
  const { instruction } = expandFrom(stage.from, (name) => globals.get(name), context)
  const { image, platform } = instruction
  if (image === '')
    throw sourceError(file.source, stage.from.range, `base name (${stage.from.image}) should not be blank`)
  if (image === 'scratch') return { kind: 'scratch' }
  const index = file.stages.findLastIndex((each, at) => at < stage.index && each.from.alias === image.toLowerCase())
  if (index >= 0) return { kind: 'stage', index }
  return { kind: 'image', name: image, ...(platform === undefined || platform === '' ? {} : { platform }) }
}

function needsOf(file: Dockerfile, stage: Stage, origin: Origin): readonly number[] {
  const copies = stage.instructions.flatMap((node) => {
    const from = node.kind === 'copy' ? copyOrigin(file, node, stage.index) : undefined
    return from?.kind === 'stage' ? [from.index] : []
  })
  return [...new Set(origin.kind === 'stage' ? [origin.index, ...copies] : copies)]
}

function reachable(file: Dockerfile, origins: readonly Origin[], target: number): ReadonlySet<number> {
  const needed = new Set<number>()
  const waiting = [target]
  for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
    const stage = file.stages[index]
    if (stage === undefined || needed.has(index)) continue
    needed.add(index)
    waiting.push(...needsOf(file, stage, origins[index] ?? { kind: 'scratch' }))
  }
  return needed
}
