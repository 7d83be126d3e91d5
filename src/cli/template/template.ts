import { execute, type ExecuteOptions } from './execute.ts'
import { parse } from './parser.ts'

export interface Template {
  /** Throws a TemplateError «template: :1:2: executing …». */
  execute(data: unknown, options?: ExecuteOptions): string
}

/** Throws a TemplateError «template: :1: …» where the text is no template. */
export function parseTemplate(text: string): Template {
  const parsed = parse(text)
  return { execute: (data, options = {}) => execute(parsed, data, options) }
}
