import { formatTime } from '#base'
import type { ArgInstruction, Instruction } from '#dockerfile'
import { advance, applyMetadata, createdBy, hashOf, type MetadataChange } from '#builder/plan'
import type { Session, StepResult, StepSite } from './session.ts'

/** Every instruction that changes no files. */
export function metadataStep(site: StepSite, input: StepResult, node: Instruction): StepResult {
  if (node.kind === 'arg') return argStep(site, input, node)
  const change = applyMetadata(input.state, node)
  return change === undefined ? input : commitMetadata(site, input, change)
}

/** One more setting and its history entry; its time is the one of the same step on the same state before. */
export function commitMetadata(site: StepSite, input: StepResult, change: MetadataChange): StepResult {
  const { state } = input
  const created = timeOf(site, input, change.text)
  const entry = { created, created_by: createdBy(change.config, ` ${change.text}`), empty_layer: true }
  const next = advance(state, { config: change.config, ...(change.author ? { author: change.author } : {}) }, entry)
  return { ...input, state: { ...next, commandGiven: change.commandGiven ?? state.commandGiven } }
}

/** An argument's value: given to the build, else its default, else the global one of its name. */
function argStep(site: StepSite, input: StepResult, node: ArgInstruction): StepResult {
  const { session } = site
  const { buildArgs } = session.request
  const args = new Map(input.state.args)
  for (const arg of node.args) {
    const value = buildArgs[arg.name] ?? arg.value ?? session.globals.get(arg.name)
    if (value !== undefined) args.set(arg.name, value)
  }
  const written = node.args.map((arg) => (arg.value === undefined ? arg.name : `${arg.name}=${arg.value}`))
  const text = `ARG ${written.join(' ')}`
  const { config } = input.state
  const created = timeOf(site, input, `${text} ${hashOf([...args])}`)
  const entry = { created, created_by: createdBy(config, ` ${text}`), empty_layer: true }
  return { ...input, state: advance(input.state, { args }, entry) }
}

function timeOf(site: StepSite, input: StepResult, text: string): string {
  const { session } = site
  const key = hashOf('metadata', input.state.key, text)
  const found = session.request.noCache ? undefined : session.records.find(key)
  if (found !== undefined) {
    session.use(key)
    session.emit({ kind: 'cached', step: site.step.number })
    return found.created
  }
  return saveTime(session, key, { state: input.state.key, text })
}

function saveTime(
  session: Session,
  key: string,
  ingredients: { readonly state: string; readonly text: string },
): string {
  const created = formatTime(session.parts.clock.nanoseconds())
  session.records.save({
    key,
    prefix: key,
    kind: 'metadata',
    description: ingredients.text,
    ingredients: JSON.stringify(ingredients),
    created,
    size: 0,
  })
  return created
}
