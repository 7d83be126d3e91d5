/** What is wrong with a template, in the words of Go's text/template («template: :1:2: executing "" at <.X>: …»). */
export class TemplateError extends Error {
  /** Of what does not parse, or of what cannot be carried out. */
  readonly during: 'parse' | 'execution'

  constructor(during: 'parse' | 'execution', message: string) {
    super(message)
    this.name = 'TemplateError'
    this.during = during
  }
}

/** Where an offset lies in a text: the line from 1, the byte in it from 0. */
export function placeOf(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset)
  const start = before.lastIndexOf('\n') + 1
  return { line: before.split('\n').length, column: Buffer.byteLength(before.slice(start)) }
}
