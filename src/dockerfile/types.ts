import type { Source, SourceRange } from './source.ts'

/** What a command says: a JSON array as it is, or a line for the shell. */
export type CommandForm =
  | { readonly form: 'exec'; readonly args: readonly string[] }
  | { readonly form: 'shell'; readonly line: string }

/** A here-document as written; `text` has its line ends, and its leading tabs even where `stripTabs` is set. */
export interface Heredoc {
  readonly name: string
  readonly text: string
  /** `<<-`: leading tabs go. */
  readonly stripTabs: boolean
  /** False where a part of the word is quoted. */
  readonly expand: boolean
  /** The number before `<<`, if any. */
  readonly descriptor?: number
}

/** A file that stands in the Dockerfile itself (COPY and ADD heredocs); leading tabs are already taken off. */
export interface InlineFile {
  readonly name: string
  readonly text: string
  readonly expand: boolean
}

export interface Pair {
  readonly key: string
  readonly value: string
}

interface Node {
  /** The whole instruction. */
  readonly range: SourceRange
  /** The keyword as written. */
  readonly keyword: string
  /** The logical line, continuations joined, without heredoc bodies. */
  readonly text: string
  /** What follows the keyword and its flags. */
  readonly rest: string
  /** Flags as written («--from=0»). */
  readonly flags: readonly string[]
  /** Words of comment lines right above, for descriptions of stages and arguments. */
  readonly comments: readonly string[]
}

export interface FromInstruction extends Node {
  readonly kind: 'from'
  readonly image: string
  readonly platform?: string
  /** Lower case. */
  readonly alias?: string
  readonly aliasAsWritten?: string
}

export interface RunInstruction extends Node {
  readonly kind: 'run'
  readonly command: CommandForm
  readonly heredocs: readonly Heredoc[]
  readonly mounts: readonly string[]
  readonly network?: string
  readonly security?: string
  readonly devices: readonly string[]
}

/** COPY and ADD. */
export interface CopyInstruction extends Node {
  readonly kind: 'copy' | 'add'
  readonly sources: readonly string[]
  readonly inline: readonly InlineFile[]
  readonly destination: string
  readonly from?: string
  readonly chown?: string
  readonly chmod?: string
  readonly link: boolean
  readonly parents: boolean
  readonly excludes: readonly string[]
  readonly checksum?: string
  readonly keepGitDir?: boolean
  readonly unpack?: boolean
}

/** ENV and LABEL. */
export interface PairsInstruction extends Node {
  readonly kind: 'env' | 'label'
  readonly pairs: readonly Pair[]
  /** `ENV key value`. */
  readonly legacy: boolean
}

export interface ArgInstruction extends Node {
  readonly kind: 'arg'
  readonly args: readonly { readonly name: string; readonly value?: string }[]
}

/** CMD and ENTRYPOINT; an empty exec form takes away what was set before. */
export interface CommandInstruction extends Node {
  readonly kind: 'cmd' | 'entrypoint'
  readonly command: CommandForm
}

export interface TextInstruction extends Node {
  readonly kind: 'workdir' | 'user' | 'stopsignal' | 'maintainer'
  readonly value: string
}

export interface ListInstruction extends Node {
  readonly kind: 'expose' | 'volume' | 'shell'
  readonly values: readonly string[]
}

export interface HealthcheckInstruction extends Node {
  readonly kind: 'healthcheck'
  /** Absent for `HEALTHCHECK NONE`. */
  readonly command?: CommandForm
  /** Nanoseconds; 0 where not given. */
  readonly interval: number
  readonly timeout: number
  readonly startPeriod: number
  readonly startInterval: number
  readonly retries: number
}

export interface OnbuildInstruction extends Node {
  readonly kind: 'onbuild'
  /** As it goes into the image's config, heredocs and all. */
  readonly trigger: string
}

/** What may stand in a stage. */
export type Instruction =
  | RunInstruction
  | CopyInstruction
  | PairsInstruction
  | ArgInstruction
  | CommandInstruction
  | TextInstruction
  | ListInstruction
  | HealthcheckInstruction
  | OnbuildInstruction

export interface Stage {
  readonly index: number
  readonly from: FromInstruction
  readonly instructions: readonly Instruction[]
}

/** Parser directives: comments of the form `# name=value` at the top. */
export interface Directives {
  readonly syntax?: string
  readonly escape: '\\' | '`'
  readonly check?: string
}

/** A finding that does not stop the build. */
export interface LintWarning {
  readonly rule: string
  readonly description: string
  readonly text: string
  readonly url: string
  readonly range: SourceRange
}

export interface Dockerfile {
  readonly source: Source
  readonly directives: Directives
  /** ARGs before the first FROM. */
  readonly globalArgs: readonly ArgInstruction[]
  readonly stages: readonly Stage[]
  readonly warnings: readonly LintWarning[]
}
