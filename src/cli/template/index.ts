/**
 * cli/template: the templates of `--format`, as Go's text/template reads and carries them out: fields, variables,
 * pipelines, if, with, range, define and template, its functions and those that docker adds; errors in the same words
 * with the same places. A value is JSON, or a view with named fields and methods. What is shown, the commands decide.
 */
export { TemplateError } from './error.ts'
export { parseTemplate } from './template.ts'
export { createView, NIL_POINTER, setForm } from './value.ts'
