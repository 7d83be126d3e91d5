import { command, flag, formatRows } from '#cli/kit'
import type { Context } from '#cli/kit'
import type { DiskReportJson, DiskUsageJson } from '#wire'
import {
  cacheListing,
  cacheSize,
  containerListing,
  exactSize,
  imageListing,
  ownerListing,
  summaryOf,
  volumeListing,
} from './disk-rows.ts'
import type { Listing } from './disk-rows.ts'

export const diskUsage = command({
  usage: '[OPTIONS]',
  summary: 'Show disk usage, with -v every byte of the data root by its owner',
  flags: {
    format: flag.text('Format output: table, json, or a template such as {{.Type}}'),
    verbose: flag.switch('Show detailed information on space usage', { short: 'v' }),
  },
  max: 0,
  async run(context, { flags }) {
    const usage = await context.client.get<DiskUsageJson>('/system/df')
    context.io.stdout.write(
      flags.verbose
        ? await showAll(context, usage, flags.format)
        : formatRows(summaryOf(usage).rows, { ...summaryOf(usage), format: flags.format }),
    )
    return 0
  },
})

async function showAll({ client, now }: Context, usage: DiskUsageJson, format: string | undefined): Promise<string> {
  const report = await client.get<DiskReportJson>('/x/disk', { query: { limit: 0 } })
  const images = imageListing(usage.Images ?? [], now)
  const containers = containerListing(usage.Containers ?? [], now)
  const volumes = volumeListing(usage.Volumes ?? [])
  const caches = cacheListing(usage.BuildCache ?? [], now)
  const owners = ownerListing(report)
  if (format === 'json') {
    const lists = { Images: images, Containers: containers, Volumes: volumes, BuildCache: caches, DataRoot: owners }
    const rows = Object.entries(lists).map(([name, { rows: found }]) => [name, found])
    return `${JSON.stringify(Object.fromEntries(rows))}\n`
  }
  return [
    section('Images space usage:', images),
    section('Containers space usage:', containers),
    section('Local Volumes space usage:', volumes),
    section(`Build cache usage: ${exactSize(cacheSize(usage.BuildCache ?? []))}`, caches),
    section(`Data root space usage: ${report.Root} (allocated blocks, as du -x counts them)`, owners),
  ].join('\n')
}

function section(title: string, listing: Listing): string {
  return `${title}\n\n${formatRows(listing.rows, { ...listing })}`
}
