import { EngineError } from '#base'
import { complaint, type Context } from '#cli/kit'

/**
 * Does the same to several containers at once and prints each name as it is done, in the order given; what fails is
 * said on stderr and makes the exit status 1, unless it is forgiven.
 */
export async function forEach(
  context: Context,
  names: readonly string[],
  act: (path: string, name: string) => Promise<string | undefined>,
  forgives: (error: EngineError) => boolean = () => false,
): Promise<number> {
  const outcomes = names.map((name) => act(`/containers/${encodeURIComponent(name)}`, name).catch(caught))
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
