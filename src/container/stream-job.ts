import { type Bytes } from '#base'
import { closeDescriptor, createPipe, readDescriptor } from '#kernel'
import type { Parts } from './parts.ts'

/** As much as the kernel gives without privilege. */
export const PIPE_SIZE = 1 << 20
/** Read at once: a quarter of the pipe, so that the job goes on writing meanwhile. */
const CHUNK = PIPE_SIZE / 4

interface StreamJob<Input extends { readonly fd: number }> {
  readonly name: string
  /** Without the pipe's end, which is made here. */
  readonly input: Omit<Input, 'fd'>
  readonly signal: AbortSignal | undefined
}

/** What a job writes to its `fd`, as it comes. Leaving early stops the job; its failure is the stream's. */
export async function* bytesOfJob<Input extends { readonly fd: number }>(
  parts: Pick<Parts, 'pool'>,
  { name, input, signal }: StreamJob<Input>,
): Bytes {
  const { from, to } = createPipe({ size: PIPE_SIZE })
  const stopped = new AbortController()
  const either = signal ? AbortSignal.any([signal, stopped.signal]) : stopped.signal
  const job = parts.pool
    .run<Omit<Input, 'fd'> & { readonly fd: number }, void>(
      name,
      { ...input, fd: to },
      { signal: either, lane: 'stream' },
    )
    .finally(() => closeDescriptor(to))
  const done = job.catch(() => undefined)
  let whole = false
  try {
    for await (const chunk of readDescriptor(from, { chunk: CHUNK })) yield chunk
    whole = true
    await job
  } finally {
    if (!whole) stopped.abort()
    closeDescriptor(from)
    await done
  }
}
