import { type Context, formatterOf } from '#cli/kit'

interface Told extends Pick<Context, 'io'> {
  /** The template's name in complaints. */
  readonly name?: string
}

/** A `--format` for the one object of `version` and `info`: what a template shows before it fails, docker ends its line after. */
export function formatObject(template: string, value: unknown, { io, ...wording }: Told): string {
  const show = formatterOf(template, { ...wording, prefix: '' })
  try {
    return show(value)
  } catch (error) {
    io.stdout.write('\n')
    throw error
  }
}
