import type { HistoryEntry } from '#oci'
import { advance } from '#builder/plan'
import type { LayerOutcome } from './layer-step.ts'
import type { StepResult, StepSite } from './session.ts'

/** The result after a step that may have made a layer. */
export function withLayer(input: StepResult, outcome: LayerOutcome, createdBy: string): StepResult {
  const entry: HistoryEntry = {
    created: outcome.created,
    created_by: createdBy,
    ...(outcome.changed ? {} : { empty_layer: true }),
  }
  return { root: outcome.root, state: advance(input.state, {}, entry) }
}

export function announceLayer(site: StepSite, outcome: LayerOutcome): void {
  if (outcome.cached) site.session.emit({ kind: 'cached', step: site.step.number })
}
