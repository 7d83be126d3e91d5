import { command, flag, formatRows, formatterOf } from '#cli/kit'
import type { Context } from '#cli/kit'
import { createView } from '#cli/template'
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
    const { format } = flags
    // A template is read before anything is asked for.
    const show = flags.verbose && isTemplate(format) ? formatterOf(format, { prefix: '' }) : undefined
    const usage = await context.client.get<DiskUsageJson>('/system/df')
    context.io.stdout.write(
      show
        ? `${show(viewOf(usage, context.now))}\n`
        : flags.verbose
          ? await showAll(context, usage, format)
          : formatRows(summaryOf(usage).rows, { ...summaryOf(usage), ...SUMMARY, format: flags.format }),
    )
    return 0
  },
})

const SUMMARY = {
  type: '*formatter.diskUsageImagesContext',
  raw: 'type: {{.Type}}\ntotal: {{.TotalCount}}\nactive: {{.Active}}\nsize: {{.Size}}\nreclaimable: {{.Reclaimable}}\n',
}

function isTemplate(format: string | undefined): format is string {
  return format !== undefined && !['', 'json', 'table', 'raw'].includes(format)
}

/** What a template with -v sees: the four lists. */
function viewOf(usage: DiskUsageJson, now: number): ReturnType<typeof createView> {
  return createView('*formatter.diskUsageContext', {
    Images: imageListing(usage.Images ?? [], now).rows,
    Containers: containerListing(usage.Containers ?? [], now).rows,
    Volumes: volumeListing(usage.Volumes ?? []).rows,
    BuildCache: cacheListing(usage.BuildCache ?? [], now).rows,
  })
}

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
