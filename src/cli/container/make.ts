import { closeSync, existsSync, openSync, unlinkSync, writeSync } from 'node:fs'
import { resolve } from 'node:path'
import { EngineError, invalid, isKind, messageOf } from '#base'
import { registryHeaders } from '#cli/credential'
import { CommandLineError, type Context, errorText, showProgress } from '#cli/kit'
import { type Attachment, type ContainerFlags, containerRequest } from '#cli/request'
import { familiarName, familiarReference, parsePlatform, parseReference } from '#oci'
import type { CreatedJson, ProgressLine } from '#wire'

interface MakeOptions {
  readonly flags: ContainerFlags
  readonly given: ReadonlySet<string>
  readonly words: readonly string[]
  readonly attachment: Attachment
  /** Of the terminal that it is going to have. */
  readonly console?: { readonly ConsoleSize?: readonly [number, number] }
}

/** Creates the container, pulling its image first where --pull says so or where it is not there; answers its id. */
export async function makeContainer(
  context: Context,
  { flags, given, words, attachment, console }: MakeOptions,
): Promise<string> {
  const [image = '', ...command] = words
  const { body, policy } = understood(context, () => ({
    body: containerRequest({ flags, given, image, command, attachment, console, env: context.env, cwd: context.cwd }),
    policy: pullPolicy(flags.pull),
  }))
  warn(context, flags)
  using place = placeForId(context, flags.cidfile)
  parseReference(image)
  if (flags.platform !== undefined) checkPlatform(flags.platform)
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
  place.write(made.Id)
  return made.Id
}

/** Of what is allowed and seldom wise. */
function warn({ io }: Context, flags: ContainerFlags): void {
  if (flags['oom-kill-disable'] && flags.memory === undefined)
    io.stderr.write(
      "WARNING: Disabling the OOM killer on containers without setting a '-m/--memory' limit may be dangerous.\n",
    )
  const local = flags.dns.find((address) => address.startsWith('127.') || address === '::1')
  if (local !== undefined) io.stderr.write(`WARNING: Localhost DNS setting (--dns=${local}) may fail in containers.\n`)
}

interface PlaceForId extends Disposable {
  write(id: string): void
}

/** --cidfile, made before the container is, so that none comes to be whose id has no place; gone again where none came. */
function placeForId({ cwd }: Context, file: string | undefined): PlaceForId {
  if (file === undefined) return { write: () => undefined, [Symbol.dispose]: () => undefined }
  const path = resolve(cwd, file)
  if (existsSync(path))
    throw invalid(`container ID file found, make sure the other container isn't running or delete ${file}`)
  const descriptor = createFile(path, file)
  let written = false
  return {
    write(id) {
      writeSync(descriptor, id)
      written = true
    },
    [Symbol.dispose]() {
      closeSync(descriptor)
      if (!written) unlinkSync(path)
    },
  }
}

function createFile(path: string, typed: string): number {
  try {
    return openSync(path, 'wx')
  } catch (error) {
    throw invalid(`failed to create the container ID file: ${errorText(error, 'open', typed)}`, { cause: error })
  }
}

function checkPlatform(text: string): void {
  try {
    parsePlatform(text)
  } catch (error) {
    throw invalid(`error parsing specified platform: ${messageOf(error)}`, { cause: error })
  }
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
