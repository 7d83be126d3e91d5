import type { StreamEnds } from '#engine'
import { encodeFrameHead } from '#wire'
import type { RawStream } from '#api/exchange'
import { createDetachFilter } from './detach-keys.ts'

export interface JoinOptions {
  /** Bytes as they are, else frames that name the stream. */
  readonly raw: boolean
  readonly stdin: boolean
  readonly stdout: boolean
  readonly stderr: boolean
  /** The end of the client's input ends the process's; else it ends the session. */
  readonly closesInput: boolean
  /** Keys that leave the session, where it has a terminal. */
  readonly detachKeys: readonly number[] | undefined
  /** After the output's end this is waited for before the client's side ends: it may ask for the exit code then. */
  readonly until?: Promise<unknown>
}

export interface Joined {
  /** `ended`: no more output will come. `left`: the client went, or pressed its keys, while the process goes on. */
  readonly how: 'ended' | 'left'
  /** Resolves when the output's last byte was taken from the process; after `left` they go nowhere. */
  readonly drained: Promise<void>
}

/** Copies both ways between a client and a process until the output ends or the client leaves; ends the client's side. */
export async function joinStreams(client: RawStream, ends: StreamEnds, options: JoinOptions): Promise<Joined> {
  const left = Promise.withResolvers<'left'>()
  let present = true
  const leave = (): void => {
    present = false
    left.resolve('left')
  }
  if (client.closed.aborted) leave()
  client.closed.addEventListener('abort', leave, { once: true })
  const drained = sendOutput(client, ends, { options, isPresent: () => present })
  takeInput(client, ends, options).then(
    (goOn) => (goOn ? undefined : leave()),
    () => leave(),
  )
  try {
    const how = await Promise.race([drained.then(() => options.until).then(() => 'ended' as const), left.promise])
    return { how, drained }
  } finally {
    client.end()
  }
}

interface OutputWay {
  readonly options: JoinOptions
  readonly isPresent: () => boolean
}

async function sendOutput(client: RawStream, ends: StreamEnds, { options, isPresent }: OutputWay): Promise<void> {
  for await (const { stream, bytes, release } of ends.output) {
    if (!isPresent() || !options[stream]) release?.()
    else if (options.raw) await client.write(bytes, { release })
    else await client.write(bytes, { head: encodeFrameHead(stream, bytes.length), release })
  }
}

/** Resolves with false where the session is over for the client. */
async function takeInput(client: RawStream, ends: StreamEnds, options: JoinOptions): Promise<boolean> {
  const filter = options.detachKeys && createDetachFilter(options.detachKeys)
  for await (const chunk of client.input) {
    if (!options.stdin) continue
    const { bytes, detached } = filter?.(chunk) ?? { bytes: chunk, detached: false }
    if (bytes.length > 0) await ends.write(bytes)
    if (detached) return false
  }
  if (!options.stdin) return true
  if (options.closesInput) await ends.closeInput()
  return options.closesInput
}
