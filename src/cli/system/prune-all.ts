import { command, CommandLineError, flag, parseFilterFlags } from '#cli/kit'
import type { Context } from '#cli/kit'
import { pruneKinds } from './prune.ts'
import { confirmed, list, type PruneReply, reclaimed } from './prune-words.ts'

export const pruneSystem = command({
  usage: '[OPTIONS]',
  summary: 'Remove unused data',
  flags: {
    all: flag.switch('Remove all unused images not just dangling ones', { short: 'a' }),
    filter: flag.list('Provide filter values (e.g. "label=<key>=<value>")', { value: 'filter' }),
    force: flag.switch('Do not prompt for confirmation', { short: 'f' }),
    volumes: flag.switch('Prune anonymous volumes'),
  },
  max: 0,
  async run(context, { flags }) {
    if (flags.volumes && flags.filter.some((text) => text.startsWith('until=')))
      throw new CommandLineError('ERROR: The "until" filter is not supported with "--volumes"', { exit: 1 })
    parseFilterFlags(flags.filter, '--filter')
    if (!flags.force && !(await confirmed(context, warningOf(flags)))) return 0
    const { text, bytes } = await pruneKinds(context, flags)
    const cache = await pruneBuilds(context, { all: flags.all, until: flags.filter.filter(isUntil) })
    context.io.stdout.write(`${text}${cacheText(cache)}${reclaimed(bytes + (cache.SpaceReclaimed ?? 0))}`)
    return 0
  },
})

const isUntil = (text: string): boolean => text.startsWith('until=')

interface SystemFlags {
  readonly all: boolean
  readonly filter: readonly string[]
  readonly volumes: boolean
}

function warningOf({ all, filter, volumes }: SystemFlags): string {
  const removed = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ]
  const lines = (texts: readonly string[]): string => texts.map((text) => `  - ${text}\n`).join('')
  const filtered =
    filter.length === 0 ? '' : `  Items to be pruned will be filtered with:\n${lines(filter.toSorted())}\n`
  return `WARNING! This will remove:\n${lines(removed)}\n${filtered}Are you sure you want to continue?`
}

function cacheText({ CachesDeleted }: PruneReply): string {
  return list('Deleted build cache objects:', CachesDeleted ?? [])
}

interface BuildPrune {
  readonly all: boolean
  readonly until: readonly string[]
  readonly keep?: string | undefined
}

async function pruneBuilds({ client }: Context, { all, until, keep }: BuildPrune): Promise<PruneReply> {
  const query = { all, filters: parseFilterFlags(until, '--filter'), 'keep-storage': keep }
  return await client.post<PruneReply>('/build/prune', { query })
}

export const pruneCache = command({
  usage: '',
  summary: 'Remove build cache',
  flags: {
    all: flag.switch('Remove all unused build cache, not just dangling ones', { short: 'a' }),
    filter: flag.list('Provide filter values (e.g. "until=24h")', { value: 'filter' }),
    force: flag.switch('Do not prompt for confirmation', { short: 'f' }),
    'keep-storage': flag.text('Amount of disk space to keep for cache', { value: 'bytes' }),
  },
  max: 0,
  async run(context, { flags }) {
    const what = flags.all ? 'all build cache' : 'all dangling build cache'
    parseFilterFlags(flags.filter, '--filter')
    const question = `WARNING! This will remove ${what}. Are you sure you want to continue?`
    if (!flags.force && !(await confirmed(context, question))) return 0
    const keep = flags['keep-storage'] === undefined ? undefined : String(bytesOf(flags['keep-storage']))
    const reply = await pruneBuilds(context, { all: flags.all, until: flags.filter, keep })
    context.io.stdout.write(`${cacheText(reply)}${reclaimed(reply.SpaceReclaimed ?? 0)}`)
    return 0
  },
})

const UNITS = 'bkmgtp'

/** «10», «512MB», «2gib»: docker's spelling of memory, in powers of 1024. */
function bytesOf(text: string): number {
  const [, digits = '', unit = 'b'] = /^(\d+(?:\.\d+)?) ?([kmgtp]?)(?:i?b)?$/i.exec(text) ?? []
  const power = UNITS.indexOf(unit.toLowerCase() || 'b')
  if (digits === '' || power < 0)
    throw new CommandLineError(`invalid argument "${text}" for "--keep-storage" flag: invalid size: '${text}'`, {
      exit: 125,
    })
  return Math.trunc(Number(digits) * 1024 ** power)
}
