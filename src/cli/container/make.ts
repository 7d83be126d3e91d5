import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { EngineError, invalid, isKind, messageOf } from '#base'
import { registryHeaders } from '#cli/credential'
import { CommandLineError, type Context, showProgress } from '#cli/kit'
import { familiarName, familiarReference, parseReference } from '#oci'
import type { CreatedJson, ProgressLine } from '#wire'
import type { Attachment } from './options.ts'
import { type ContainerFlags, containerRequest } from './request.ts'

interface MakeOptions {
  readonly flags: ContainerFlags
  readonly given: ReadonlySet<string>
  readonly words: readonly string[]
  readonly attachment: Attachment
}

/** Creates the container, pulling its image first where --pull says so or where it is not there; answers its id. */
export async function makeContainer(
  context: Context,
  { flags, given, words, attachment }: MakeOptions,
): Promise<string> {
  const [image = '', ...command] = words
  const { body, policy } = understood(context, () => ({
    body: containerRequest({ flags, given, image, command, attachment, env: context.env, cwd: context.cwd }),
    policy: pullPolicy(flags.pull),
  }))
  parseReference(image)
  const create = (): Promise<CreatedJson> =>
    context.client.post<CreatedJson>('/containers/create', {
      query: { name: flags.name, platform: flags.platform },
      json: body,
    })
  if (policy === 'always') await pull(context, image, flags)
  const made = await create().catch(async (error: unknown) => {
    if (policy !== 'missing' || !isKind(error, 'not-found') || !/no such image/i.test(error.message)) throw error
    if (!flags.quiet)
      context.io.stderr.write(`Unable to find image '${familiarReference(parseReference(image))}' locally\n`)
    await pull(context, image, flags)
    return await create()
  })
  for (const warning of made.Warnings ?? []) context.io.stderr.write(`WARNING: ${warning}\n`)
  if (flags.cidfile !== undefined) writeFileSync(resolve(context.cwd, flags.cidfile), made.Id, { flag: 'wx' })
  return made.Id
}

/** What the flags say together; what makes no sense ends with 125, as a flag that is wrong by itself. */
function understood<T>({ name }: Context, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof EngineError) || error instanceof CommandLineError) throw error
    const advice = `Run '${name} --help' for more information`
    throw new CommandLineError(`mica: ${messageOf(error)}`, { exit: 125, advice })
  }
}

function pullPolicy(text = 'missing'): 'always' | 'missing' | 'never' {
  if (text === 'always' || text === 'missing' || text === 'never') return text
  throw invalid(`invalid pull option: '${text}': must be one of "always", "missing" or "never"`)
}

async function pull(context: Context, image: string, flags: ContainerFlags): Promise<void> {
  const { client, io } = context
  const reference = parseReference(image)
  const lines = client.lines<ProgressLine>('POST', '/images/create', {
    query: { fromImage: familiarName(reference), tag: reference.digest ?? reference.tag, platform: flags.platform },
    headers: await registryHeaders(context, reference.domain),
  })
  const output = flags.quiet ? { ...io.stderr, terminal: false, write: () => undefined } : io.stderr
  await showProgress(lines, output)
}
