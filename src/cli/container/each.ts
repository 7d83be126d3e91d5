import { EngineError, invalid } from '#base'
import { complaint, type Context } from '#cli/kit'

/** The path of a container by its name or id; docker's client refuses an empty one itself. */
export function pathOf(name: string, refusal = 'invalid container name or ID: value is empty'): string {
  if (name.trim() === '') throw invalid(refusal)
  return `/containers/${encodeURIComponent(name)}`
}

interface Exceptions {
  readonly forgives?: (error: EngineError) => boolean
  /** What is said of a name without a letter, where it is not what docker says elsewhere. */
  readonly ofNoName?: string
}

/**
 * Does the same to several containers at once and prints each name as it is done, in the order given; what fails is
 * said on stderr and makes the exit status 1, unless it is forgiven.
 */
export async function forEach(
  context: Context,
  names: readonly string[],
  act: (path: string, name: string) => Promise<string | undefined>,
  { forgives = () => false, ofNoName }: Exceptions = {},
): Promise<number> {
  const attempt = async (name: string): Promise<string | undefined> => await act(pathOf(name, ofNoName), name)
  const outcomes = names.map((name) => attempt(name).catch(caught))
  let exit = 0
  for (const [index, outcome] of outcomes.entries()) {
    const result = await outcome
    if (result instanceof EngineError) {
      context.io.stderr.write(`${complaint(result)}\n`)
      if (!forgives(result)) exit = 1
    } else context.io.stdout.write(`${result ?? names[index] ?? ''}\n`)
  }
  return exit
}

function caught(error: unknown): EngineError {
  if (error instanceof EngineError && error.kind !== 'unavailable') return error
  throw error
}
