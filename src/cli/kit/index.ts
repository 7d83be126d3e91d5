/**
 * cli/kit: what every command of the CLI is made of: flags by pflag's rules, usage and help, tables, sizes and times,
 * the forms of lists, progress lines, terminals and attached streams. Only values and the streams handed in; the
 * calls of the API belong to `client`, the commands themselves to `cli/container`, `cli/image`, `cli/system`.
 */
export { command, flag } from './command.ts'
export type { Command, Context, Io, Output } from './command.ts'
export { CommandLineError } from './error.ts'
export { complaint, outcomeOf, startStatus } from './exit.ts'
export { badArgument, pairsOf, splitFields } from './fields.ts'
export { formatLabels, formatRows } from './format.ts'
export { bytesOfFile, errorText, openError } from './file.ts'
export { parseFilterFlags } from './filter.ts'
export { groupHelp, topHelp } from './help.ts'
export type { HelpGroup, HelpLine } from './help.ts'
export { parseWords } from './arguments.ts'
export type { FlagValues } from './arguments.ts'
export { outputFile } from './output-file.ts'
export { userSetting } from './settings.ts'
export { parseKeys } from './keys.ts'
export { showProgress } from './progress.ts'
export { connectStreams, writeAll, writeFrames } from './streams.ts'
export { ellipsis } from './table.ts'
export { formatterOf, inspectorOf } from './template.ts'
export { refuseTrust, trustFlag } from './trust.ts'
export { ago, apiTime, isoLocal, size } from './units.ts'
