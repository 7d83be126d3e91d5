import { command } from '#cli/kit'
import type { ChangeJson } from '#wire'
import { pathOf } from './each.ts'

const LETTERS = ['C', 'A', 'D'] as const

export const diff = command({
  usage: 'CONTAINER',
  summary: "Inspect changes to files or directories on a container's filesystem",
  flags: {},
  min: 1,
  max: 1,
  async run(context, { args: [name = ''] }) {
    const changes = await context.client.get<readonly ChangeJson[] | null>(
      `${pathOf(name, 'Container name cannot be empty')}/changes`,
    )
    context.io.stdout.write((changes ?? []).map(({ Kind, Path }) => `${LETTERS[Kind]} ${Path}\n`).join(''))
    return 0
  },
})
