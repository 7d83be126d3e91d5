import type { Bytes } from '#base'
import type { Context } from '#cli/kit'
import { exactSize } from './disk-rows.ts'

/** What the API says of a prune; each kind has its own list. */
export interface PruneReply {
  readonly SpaceReclaimed?: number
  readonly ContainersDeleted?: readonly string[] | null
  readonly VolumesDeleted?: readonly string[] | null
  readonly NetworksDeleted?: readonly string[] | null
  readonly CachesDeleted?: readonly string[] | null
  readonly ImagesDeleted?: readonly { readonly Untagged?: string; readonly Deleted?: string }[] | null
}

export function list(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? '' : `${title}\n${lines.join('\n')}\n\n`
}

export function reclaimed(bytes: number): string {
  return `Total reclaimed space: ${exactSize(bytes)}\n`
}

/** Asks, and takes nothing but «y» for a yes. */
export async function confirmed({ io }: Context, question: string): Promise<boolean> {
  io.stdout.write(`${question} [y/N] `)
  const answer = Promise.withResolvers<string | undefined>()
  using _ = io.onSignals(['SIGINT', 'SIGTERM'], () => answer.resolve(undefined))
  firstLine(io.stdin.bytes).then(answer.resolve, answer.reject)
  const text = await answer.promise
  if (text === undefined) io.stdout.write('\n')
  return text?.trim().toLowerCase() === 'y'
}

async function firstLine(bytes: Bytes): Promise<string> {
  let line = ''
  for await (const chunk of bytes) {
    line += Buffer.from(chunk).toString()
    if (line.includes('\n')) break
  }
  return line
}
