import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfCancelled } from '#base'
import type { RunInstruction } from '#dockerfile'
import type { Mount } from '#kernel'
import type { ActiveSnapshot } from '#store/snapshot'
import { prepareCommand, type PreparedCommand, runText, SCRIPT_FOLDER } from '#builder/plan'
import { CommandError, createTail } from './command-error.ts'
import { announceLayer, type LayerOutcome, NOTHING_READ, solveLayer, withLayer } from './layer-step.ts'
import type { StepResult, StepSite } from './session.ts'

/** RUN: the command's effect on the root. Key: arguments, environment with arguments in use, folder, user. */
export async function runStep(site: StepSite, input: StepResult, node: RunInstruction): Promise<StepResult> {
  const { session } = site
  const { config } = input.state
  const command = prepareCommand(input.state, node, session.request.buildArgs)
  const keyed = [...(config.Env ?? []), ...command.argumentsInUse.map(([name, value]) => `${name}=${value}`)]
  const definition = {
    kind: 'run',
    args: command.args,
    env: keyed,
    cwd: config.WorkingDir ?? '/',
    user: config.User ?? '',
    script: command.script?.text ?? null,
  }
  const outcome = await solveLayer(session, input.root, {
    kind: 'run',
    description: `RUN ${node.rest}`,
    definition,
    hashFirst: true,
    perform: async (active, { id }) => {
      await session.limiter.run(() => start(site, { input, node, command, active, id }), session.signal)
      return { content: NOTHING_READ }
    },
  })
  announceLayer(site, outcome)
  return finished(input, outcome, command)
}

function finished(input: StepResult, outcome: LayerOutcome, command: PreparedCommand): StepResult {
  return withLayer(input, outcome, runText(command))
}

interface Start {
  readonly input: StepResult
  readonly node: RunInstruction
  readonly command: PreparedCommand
  readonly active: ActiveSnapshot
  readonly id: string
}

async function start(site: StepSite, { input, node, command, active, id }: Start): Promise<void> {
  const { session, step } = site
  const { config } = input.state
  session.emit({ kind: 'run', step: step.number, id })
  const tail = createTail()
  await using script = await offerScript(session.folder, id, command)
  const status = await session.parts.runner.run(
    {
      id,
      args: command.args,
      env: command.env,
      cwd: config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir,
      user: config.User ?? '',
      network: node.network === 'none' ? 'none' : session.request.network,
      ...(script.mounts.length > 0 ? { mounts: script.mounts } : {}),
    },
    active.mounts,
    (chunk) => {
      tail.add(chunk.bytes)
      session.emit({ kind: 'output', step: step.number, ...chunk })
    },
    session.signal,
  )
  throwIfCancelled(session.signal, 'build')
  if (status.code !== 0) throw new CommandError(command.args.join(' '), status.code, tail.text())
}

interface OfferedScript extends AsyncDisposable {
  readonly mounts: readonly Mount[]
}

/** A heredoc that begins with `#!`, as a file that the command can run. */
async function offerScript(folder: string, id: string, command: PreparedCommand): Promise<OfferedScript> {
  if (command.script === undefined) return { mounts: [], async [Symbol.asyncDispose]() {} }
  const home = join(folder, 'scripts', id)
  await mkdir(home, { recursive: true, mode: 0o755 })
  await writeFile(join(home, command.script.name), command.script.text, { mode: 0o755, flag: 'wx' })
  return {
    mounts: [{ type: 'bind', source: home, target: SCRIPT_FOLDER, options: ['bind', 'ro'] }],
    [Symbol.asyncDispose]: () => rm(home, { recursive: true, force: true }),
  }
}
