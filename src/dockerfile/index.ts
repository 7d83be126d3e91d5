/**
 * dockerfile: the text of a Dockerfile to instructions with their place in the file; variables and quotes
 * expanded as the reference says; .dockerignore patterns and COPY wildcards; lint rules as data. All of it is
 * pure, takes time linear in the input, and throws only `DockerfileError`, which shows file, line and excerpt.
 * What an instruction does to a root or a config is the builder's.
 */
export { expandFrom, expandInstruction } from './expand-instruction.ts'
export { parseGlob, hasWildcards, withoutEscapes } from './glob.ts'
export type { Glob } from './glob.ts'
export { parseIgnore } from './ignore.ts'
export type { IgnoreRules, IgnoreState } from './ignore.ts'
export type { Variables } from './lexer.ts'
export { undefinedVariable } from './lint-variables.ts'
export { parseDockerfile, parseTrigger } from './parse.ts'
export { DockerfileError, sourceError } from './source.ts'
export type { Source, SourceRange } from './source.ts'
export type * from './types.ts'
