import { cpus } from 'node:os'
import { invalid, unsupported } from '#base'
import type { Limiter } from '#base'
import { type JobOptions, unlessHung } from '#kernel'
import { formatImageConfig, hostPlatform, withDefaultTag } from '#oci'
import type { ImageConfig } from '#oci'
import type { Image } from '#store/image'
import type { Lease } from '#store/lease'
import { applyLabels, globalArguments, pairsText, planBuild, platformArguments, unusedArguments } from '#builder/plan'
import { openContext } from './context.ts'
import type { BuildContext } from './context.ts'
import type { Flights } from './flights.ts'
import { commitMetadata } from './metadata-step.ts'
import type { CacheRecords } from './records.ts'
import type { BuilderParts, ContextHashes, Session, StepResult } from './session.ts'
import { solveStage } from './solve.ts'
import type { BuildOptions, BuildOutcome, BuildRequest } from './types.ts'

/** What the builds of one builder share. */
export interface Workshop {
  readonly parts: BuilderParts
  readonly records: CacheRecords
  readonly flights: Flights
  readonly hashes: ContextHashes
  readonly limiter: Limiter
  /** `builder/` below the data root. */
  readonly folder: string
  active: number
  /** Cache records that builds under way have used, with how many. */
  readonly inUse: Map<string, number>
}

/** Steps that run at the same time, over all builds: many only wait, so more than cores; their file work waits for the pool. */
export function stepLimit(): number {
  return Math.max(16, 4 * cpus().length)
}

/** One build, from the context to the tagged image. Where a context that is read in place hangs, that is told. */
export async function build(workshop: Workshop, request: BuildRequest, options: BuildOptions): Promise<BuildOutcome> {
  const { context } = request
  if (context.kind !== 'folder') return await carryOut(workshop, request, options)
  return await unlessHung(`cannot read the build context ${context.path}`, options.signal, ({ signal, onHang }) => {
    const onEvent: BuildOptions['onEvent'] = (event) => (signal.aborted ? undefined : options.onEvent(event))
    const reading = { about: `build context ${context.path}`, onHang }
    return carryOut(workshop, request, { ...options, signal, onEvent, reading })
  })
}

interface Carrying extends BuildOptions {
  readonly reading?: Pick<JobOptions, 'about' | 'onHang'>
}

async function carryOut(workshop: Workshop, request: BuildRequest, options: Carrying): Promise<BuildOutcome> {
  const { parts, folder } = workshop
  const stop = new AbortController()
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal])
  await using lease = await parts.leases.open('build')
  const reading: JobOptions = { ...options.reading, signal }
  await using context = await openContext(parts, folder, request, { lease, signal, reading })
  const used = new Set<string>()
  const session = openSession(workshop, { request, options, context, lease, signal, reading, used })
  announcePlan(session)
  try {
    workshop.active += 1
    const result = withLabels(session, await solveAll(session, stop))
    const outcome = await finish(session, await assemble(session, result))
    await Promise.allSettled(session.pending)
    await lease[Symbol.asyncDispose]()
    options.onOutcome?.(outcome)
    return outcome
  } finally {
    workshop.active -= 1
    for (const key of used) release(workshop.inUse, key)
    if (used.size > 0) workshop.records.touch(used)
    await Promise.allSettled(session.pending)
  }
}

function release(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 1) - 1
  if (left > 0) counts.set(key, left)
  else counts.delete(key)
}

interface SessionParts {
  readonly request: BuildRequest
  readonly options: BuildOptions
  readonly context: BuildContext
  readonly lease: Lease
  readonly signal: AbortSignal
  readonly reading: JobOptions
  readonly used: Set<string>
}

function openSession(
  workshop: Workshop,
  { request, options, context, lease, signal, reading, used }: SessionParts,
): Session {
  const file = context.dockerfile
  const host = hostPlatform()
  const platform = request.platform ?? host
  const argumentSources = { buildArgs: request.buildArgs, platform: platformArguments(host, platform) }
  const globals = globalArguments(file, argumentSources)
  const target = request.target === undefined ? {} : { target: request.target }
  const plan = planBuild(file, { ...target, globals, labels: request.labels })
  const stages = new Map<number, Promise<StepResult>>()
  const session: Session = {
    ...workshop,
    request,
    file,
    plan,
    context,
    argumentSources,
    globals,
    platform,
    lease,
    signal,
    reading,
    pending: [],
    emit: options.onEvent,
    use(key) {
      if (used.has(key)) return
      used.add(key)
      workshop.inUse.set(key, (workshop.inUse.get(key) ?? 0) + 1)
    },
    crowded: () => workshop.active > 1,
    stage(index) {
      const known = stages.get(index)
      if (known !== undefined) return known
      const planned = plan.stages.find((stage) => stage.index === index)
      if (planned === undefined) throw unsupported(`a trigger that copies from stage ${index} is not carried out yet`)
      const solving = solveStage(session, planned)
      stages.set(index, solving)
      return solving
    },
  }
  return session
}

function announcePlan(session: Session): void {
  const { plan, file, request } = session
  const steps = [...plan.globals, ...plan.stages.flatMap((stage) => stage.steps)]
  const texts = steps.map(({ number, text }) => ({ number, text }))
  const labels = labelPairs(session)
  if (labels.length > 0) texts.push({ number: plan.count, text: `LABEL ${pairsText(labels)}` })
  session.emit({ kind: 'plan', steps: texts })
  for (const warning of file.warnings)
    session.emit({ kind: 'warning', text: `${warning.rule}: ${warning.text} (line ${warning.range.start.line})` })
  for (const step of plan.globals) session.emit({ kind: 'start', step: step.number })
  const unused = unusedArguments(file, request.buildArgs)
  if (unused.length > 0)
    session.emit({ kind: 'warning', text: `[Warning] One or more build-args [${unused.join(' ')}] were not consumed` })
}

/** All stages that are needed, at once; the first failure stops the others. */
async function solveAll(session: Session, stop: AbortController): Promise<StepResult> {
  const { plan } = session
  const solving = plan.stages.map((stage) => session.stage(stage.index))
  try {
    await Promise.all(solving)
    return await session.stage(plan.target)
  } catch (error) {
    stop.abort(error)
    await Promise.allSettled(solving)
    throw error
  }
}

function labelPairs(session: Session) {
  const { labels } = session.request
  return Object.keys(labels)
    .toSorted()
    .map((key) => ({ key, value: labels[key] ?? '' }))
}

/** `--label` is one more step at the end. */
function withLabels(session: Session, result: StepResult): StepResult {
  const pairs = labelPairs(session)
  if (pairs.length === 0) return result
  const { file, plan } = session
  const { source, directives } = file
  const stage = plan.stages.find((each) => each.index === plan.target)
  if (stage === undefined) return result
  const text = `LABEL ${pairsText(pairs)}`
  const step = { number: plan.count, text, node: stage.from }
  session.emit({ kind: 'start', step: step.number })
  const site = { session, stage: plan.target, step, source, escape: directives.escape }
  return commitMetadata(site, result, applyLabels(result.state.config, pairs))
}

/** The image of a result; one that nothing was added to is the base itself. */
async function assemble(session: Session, { root, state }: StepResult): Promise<Image> {
  const { images } = session.parts
  if (state.untouched && state.base !== undefined) return images.open(state.base)
  if (state.untouched) throw invalid('No image was generated. Is your Dockerfile empty?')
  const sealed = await root.sealed
  const created = state.history.at(-1)?.created
  const config: ImageConfig = {
    ...state.platform,
    ...(created === undefined ? {} : { created }),
    ...(state.author === undefined ? {} : { author: state.author }),
    config: state.config,
    rootfs: { type: 'layers', diff_ids: sealed.diffIds },
    history: state.history,
  }
  return images.create(formatImageConfig(config), state.base === undefined ? {} : { parent: state.base }, session.lease)
}

async function finish(session: Session, image: Image): Promise<BuildOutcome> {
  const { plan, request } = session
  session.emit({ kind: 'done', step: plan.count, image: image.id })
  const tags = request.tags.map((tag) => withDefaultTag(tag))
  for (const tag of tags) await session.parts.images.tag(tag, image.id)
  return { image: image.id, tags }
}
