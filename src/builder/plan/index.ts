/**
 * builder/plan: what a Dockerfile asks for, before anything is done: the stages that are needed and their numbered steps,
 * build arguments, the config that each instruction leads to, the command line of RUN. It promises pure functions: no file,
 * no store, no clock. Carrying the steps out is the builder's.
 */
export { type ArgumentSources, globalArguments, platformArguments, unusedArguments } from './arguments.ts'
export { applyChanges } from './changes.ts'
export { prepareCommand, type PreparedCommand, runText, SCRIPT_FOLDER } from './command.ts'
export {
  applyLabels,
  applyMetadata,
  createdBy,
  isMeaningError,
  type MetadataChange,
  pairsText,
  resolveWorkdir,
} from './metadata.ts'
export { contextUse, copyOrigin, type Origin, type Plan, planBuild, type PlannedStage, type Step } from './plan.ts'
export { advance, environmentOf, hashOf, type StageState, variablesOf, withPath } from './state.ts'
