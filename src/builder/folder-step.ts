import type { TextInstruction } from '#dockerfile'
import { createdBy, resolveWorkdir } from '#builder/plan'
import { announceLayer, NOTHING_READ, solveLayer, withLayer } from './layer-step.ts'
import { mountRoot } from './scratch-mount.ts'
import type { StepResult, StepSite } from './session.ts'

/** WORKDIR: the setting, and the folder where the root lacks it; it belongs to the user in force. */
export async function folderStep(site: StepSite, input: StepResult, node: TextInstruction): Promise<StepResult> {
  const { session } = site
  const path = resolveWorkdir(input.state.config, node.value)
  const user = input.state.config.User ?? ''
  const outcome = await solveLayer(session, input.root, {
    kind: 'folder',
    description: `WORKDIR ${path}`,
    definition: { kind: 'folder', path, user },
    hashFirst: true,
    perform: async (active) => {
      await using mounted = await mountRoot(session.folder, active.mounts)
      await session.parts.pool.run(
        'builder.folder',
        { root: mounted.path, path, user },
        { signal: session.signal, lane: 'short' },
      )
      return { content: NOTHING_READ }
    },
  })
  announceLayer(site, outcome)
  const state = { ...input.state, config: { ...input.state.config, WorkingDir: path } }
  return withLayer({ ...input, state }, outcome, createdBy(state.config, `WORKDIR ${path}`))
}
