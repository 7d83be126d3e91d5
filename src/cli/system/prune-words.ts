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
  let answer = ''
  for await (const chunk of io.stdin.bytes) {
    answer += Buffer.from(chunk).toString()
    if (answer.includes('\n')) break
  }
  return answer.trim().toLowerCase() === 'y'
}
