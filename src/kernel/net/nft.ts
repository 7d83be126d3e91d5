import { internal, unavailable } from '#base'
import { ffi, isErrno, lazy, type Native } from '#kernel/call'
import { runProcess } from '#kernel/process'

/**
 * A way to nftables in the network namespace of the thread that opened it, whatever thread or namespace uses it; for one
 * call at a time. Commands are those of nft(8), all or nothing; errors have nft's own text. It is kept where many calls
 * follow each other: closing waits until the kernel has cleared away all that was deleted, so it is done aside.
 */
export interface NftSession extends Disposable {
  /** Off the main thread, for what is long. */
  run(commands: string): Promise<void>
  /** At once, on the calling thread: for a few elements of a set, which take the kernel 0.1 ms. */
  change(commands: string): Promise<void>
  /** «ruleset», «table inet x» as nft's JSON (libnftables-json(5)). */
  list(what: string): Promise<unknown>
}

export function openNft(): NftSession {
  const library = LIBRARY()
  return library ? librarySession(library) : PROGRAM
}

/** Applies a script of nft(8), all or nothing, in the network namespace of the calling thread. */
export async function runNft(commands: string): Promise<void> {
  using session = openNft()
  await session.run(commands)
}

/** The whole packet filter of the calling thread's network namespace, as nft's JSON. */
export async function listNft(): Promise<unknown> {
  using session = openNft()
  return await session.list('ruleset')
}

/** Where the library is missing. */
const PROGRAM: NftSession = {
  run: async (commands) => void (await nft(['-f', '-'], Buffer.from(commands))),
  change: async (commands) => void (await nft(['-f', '-'], Buffer.from(commands))),
  list: async (what) => JSON.parse((await nft(['-j', '-a', 'list', ...what.split(' ')])).toString()),
  [Symbol.dispose]: () => undefined,
}

const OUTPUT_HANDLE = 1 << 3
const OUTPUT_JSON = 1 << 4

type Context = number | bigint
interface Library {
  readonly open: Native<[number], Context>
  readonly close: Native<[Context], undefined>
  readonly run: Native<[Context, string]>
  readonly bufferOutput: Native<[Context]>
  readonly bufferError: Native<[Context]>
  readonly setFlags: Native<[Context, number], undefined>
  readonly output: Native<[Context], string>
  readonly error: Native<[Context], string>
}

/** libnftables(3), which comes with nft itself; undefined where it is not there. */
const LIBRARY = lazy((): Library | undefined => {
  const found = load()
  if (!found) return undefined
  const context = 'uintptr_t'
  const text = 'const char *'
  return {
    open: found.func('nft_ctx_new', context, ['uint32_t']),
    close: found.func('nft_ctx_free', 'void', [context]),
    run: found.func('nft_run_cmd_from_buffer', 'int', [context, text]),
    bufferOutput: found.func('nft_ctx_buffer_output', 'int', [context]),
    bufferError: found.func('nft_ctx_buffer_error', 'int', [context]),
    setFlags: found.func('nft_ctx_output_set_flags', 'void', [context, 'uint']),
    output: found.func('nft_ctx_get_output_buffer', text, [context]),
    error: found.func('nft_ctx_get_error_buffer', text, [context]),
  }
})

function load(): ReturnType<ReturnType<typeof ffi>['load']> | undefined {
  try {
    return ffi().load('libnftables.so.1')
  } catch {
    return undefined
  }
}

function librarySession(library: Library): NftSession {
  const context = library.open(0)
  library.bufferOutput(context)
  library.bufferError(context)
  library.setFlags(context, OUTPUT_JSON | OUTPUT_HANDLE)
  return {
    run: (commands) => runAside(library, context, commands),
    change: async (commands) => checkRun(library, context, library.run(context, commands)),
    async list(what) {
      await runAside(library, context, `list ${what}`)
      const text = library.output(context)
      // a context keeps all tables that it has read, 0.3 MB each, until its next command: one that reads nothing
      await runAside(library, context, '')
      return JSON.parse(text === '' ? '{}' : text)
    },
    [Symbol.dispose]: () => library.close.async(context, () => undefined),
  }
}

async function runAside(library: Library, context: Context, commands: string): Promise<void> {
  const status = await new Promise<number>((resolve, reject) => {
    library.run.async(context, commands, (error, result) => (error ? reject(error) : resolve(result)))
  })
  checkRun(library, context, status)
}

function checkRun(library: Library, context: Context, status: number): void {
  if (status !== 0) throw internal(`cannot use the packet filter: ${library.error(context).trim()}`)
}

async function nft(args: readonly string[], input?: Uint8Array): Promise<Buffer> {
  try {
    const { status, stdout, stderr } = await runProcess('nft', args, input ? { input } : {})
    if (status.code === 0) return stdout
    throw internal(`cannot use the packet filter: ${stderr.toString().trim()}`)
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error
    throw unavailable('cannot use the packet filter: nft is not installed (apt-get install nftables)', { cause: error })
  }
}
