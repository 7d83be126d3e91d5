import { internal, unavailable } from '#base'
import { ffi, lazy, type Native } from './ffi.ts'
import { runProcess } from './spawn.ts'
import { isErrno } from './system-call-error.ts'

/**
 * Applies a script of nft(8), all or nothing, in the network namespace of the calling thread; what is long goes off the
 * main thread. Throws with nft's own text.
 */
export async function runNft(commands: string): Promise<void> {
  const library = LIBRARY()
  if (library) await inContext(library, 0, (context) => runAside(library, context, commands))
  else await nft(['-f', '-'], Buffer.from(commands))
}

/** As runNft() at once, on the calling thread: for a few elements of a set, which take the kernel 0.2 ms. */
export function changeNft(commands: string): Promise<void> {
  const library = LIBRARY()
  if (!library) return runNft(commands)
  return inContext(library, 0, async (context) => checkRun(library, context, library.run(context, commands)))
}

/**
 * The whole packet filter of the calling thread's network namespace, or what else nft(8) can list («table inet x»), as
 * nft's JSON (libnftables-json(5)).
 */
export async function listNft(what = 'ruleset'): Promise<unknown> {
  const library = LIBRARY()
  if (!library) return JSON.parse((await nft(['-j', '-a', 'list', ...what.split(' ')])).toString())
  const text = await inContext(library, OUTPUT_JSON | OUTPUT_HANDLE, async (context) => {
    await runAside(library, context, `list ${what}`)
    return library.output(context)
  })
  return JSON.parse(text === '' ? '{}' : text)
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

/** A context's socket belongs to the network namespace in which it was made, whatever thread uses it afterwards. */
async function inContext<T>(library: Library, flags: number, work: (context: Context) => Promise<T>): Promise<T> {
  const context = library.open(0)
  try {
    library.bufferOutput(context)
    library.bufferError(context)
    library.setFlags(context, flags)
    return await work(context)
  } finally {
    library.close(context)
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
