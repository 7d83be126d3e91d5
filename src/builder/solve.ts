import { expandInstruction, parseTrigger, sourceError, undefinedVariable } from '#dockerfile'
import type { Instruction } from '#dockerfile'
import { parseImageId } from '#oci'
import type { ImageId } from '#oci'
import { environmentOf, isMeaningError, type PlannedStage, type StageState, variablesOf } from '#builder/plan'
import { solveOrigin } from './base-step.ts'
import { filesStep } from './files-step.ts'
import { folderStep } from './folder-step.ts'
import { metadataStep } from './metadata-step.ts'
import { runStep } from './run-step.ts'
import type { Session, StepResult, StepSite } from './session.ts'

/** Carries out the steps of a stage, one after the other. */
export async function solveStage(session: Session, stage: PlannedStage): Promise<StepResult> {
  const { file } = session
  const site = { session, stage: stage.index, source: file.source, escape: file.directives.escape }
  const [first, ...others] = stage.steps
  if (first === undefined) throw new RangeError('a stage without FROM')
  session.emit({ kind: 'start', step: first.number })
  let result = await solveOrigin(session, stage.origin, first.number)
  result = await runTriggers({ ...site, step: first }, result)
  announceDone(session, first.number, result.state)
  for (const step of others) {
    session.emit({ kind: 'start', step: step.number })
    if (step.node.kind !== 'from') result = await solveStep({ ...site, step }, result, step.node)
    announceDone(session, step.number, result.state)
  }
  return result
}

/** The last step of all is announced with the image itself, once that is there. */
function announceDone(session: Session, step: number, state: StageState): void {
  if (step !== session.plan.count) session.emit({ kind: 'done', step, image: stateId(state) })
}

/** What stands for an intermediate image in the stream: a name for this state, not an image that can be run. */
function stateId(state: StageState): ImageId {
  return state.untouched && state.base !== undefined ? state.base : parseImageId(`sha256:${state.key}`)
}

async function solveStep(site: StepSite, input: StepResult, node: Instruction): Promise<StepResult> {
  const context = { source: site.source, escape: site.escape }
  try {
    const { instruction, unset } = expandInstruction(node, variablesOf(input.state), context)
    warnAboutUnset(site, input.state, instruction, unset)
    if (instruction.kind === 'run') return await runStep(site, input, instruction)
    if (instruction.kind === 'copy' || instruction.kind === 'add') return await filesStep(site, input, instruction)
    if (instruction.kind === 'workdir') return await folderStep(site, input, instruction)
    return metadataStep(site, input, instruction)
  } catch (error) {
    if (isMeaningError(error)) throw sourceError(site.source, node.range, error.message)
    throw error
  }
}

/** Only here is known what a base image sets; the parser has said it about stages without one. */
function warnAboutUnset(site: StepSite, state: StageState, node: Instruction, unset: readonly string[]): void {
  if (state.base === undefined || node.kind === 'arg') return
  const known = [...environmentOf(state.config).keys(), ...state.args.keys()]
  for (const name of new Set(unset)) {
    const { rule, text, range } = undefinedVariable(node, name, known)
    site.session.emit({ kind: 'warning', step: site.step.number, text: `${rule}: ${text} (line ${range.start.line})` })
  }
}

/** ONBUILD instructions of the base: done once, here, and not inherited. */
async function runTriggers(site: StepSite, input: StepResult): Promise<StepResult> {
  const triggers = input.state.config.OnBuild ?? []
  if (triggers.length === 0) return input
  const { OnBuild: _done, ...config } = input.state.config
  let result: StepResult = { ...input, state: { ...input.state, config } }
  const said = `# Executing ${triggers.length} build trigger${triggers.length > 1 ? 's' : ''}\n`
  site.session.emit({ kind: 'output', step: site.step.number, stream: 'stdout', bytes: Buffer.from(said) })
  for (const [index, text] of triggers.entries()) {
    const { instruction, source } = parseTrigger(text, `ONBUILD trigger ${index + 1}`)
    result = await solveStep({ ...site, source, escape: '\\' }, result, instruction)
  }
  return result
}
