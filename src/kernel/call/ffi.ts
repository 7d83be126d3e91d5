import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { internal, messageOf } from '#base'

/** Bytes for C: a Buffer that a call reads or fills, or NULL. */
export type Memory = Uint8Array | null

/** A C function; `async` runs it on a thread of the libuv pool. */
export interface Native<Args extends readonly unknown[], Result = number> {
  (...args: Args): Result
  async(...args: [...Args, (error: unknown, result: Result) => void]): void
}

export interface PollHandle {
  stop(): void
  close(): void
  unref(): void
}

/** The part of koffi's `.node` file that this room uses. */
export interface Ffi {
  load(path: string | null): {
    // oxlint-disable-next-line typescript/no-explicit-any -- the one place where C functions get their types, in libc.ts
    func(name: string, result: string, parameters: readonly string[]): any
  }
  errno(): number
  address(memory: Uint8Array): bigint
  readonly node: {
    poll(
      fd: number,
      interest: { readonly readable?: boolean; readonly writable?: boolean; readonly disconnect?: boolean },
      ready: (status: number) => void,
    ): PollHandle
  }
}

/** A value made on first use and kept: FFI functions cost 20 us each to look up, so none is looked up at import. */
export function lazy<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** koffi's native part without its JavaScript, which takes ten times as long to load. Works beside a bundle too. */
export const ffi = lazy((): Ffi => {
  const require = createRequire(import.meta.url)
  const failures: string[] = []
  for (const file of candidates(require)) {
    try {
      return require(file) as Ffi
    } catch (error) {
      failures.push(messageOf(error))
    }
  }
  throw internal(`cannot load the system call library koffi for linux ${process.arch}: ${failures.join('; ')}`)
})

function candidates(require: NodeJS.Require): readonly string[] {
  const name = `@koromix/koffi-linux-${process.arch}/package.json`
  const folders = [
    () => dirname(require.resolve(name)),
    () => dirname(createRequire(require.resolve('koffi')).resolve(name)),
  ]
  const found = folders.flatMap((folder) => {
    try {
      return [folder()]
    } catch {
      return []
    }
  })
  return found.flatMap((folder) =>
    ['linux', 'musl'].map((libc) => join(folder, `${libc}_${process.arch}`, 'koffi.node')),
  )
}
