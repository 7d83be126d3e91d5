import { registryHeaders } from '#cli/credential'
import { command, ellipsis, flag, formatRows, parseFilterFlags } from '#cli/kit'
import type { SearchResultJson } from '#wire'

const COLUMNS = {
  Name: 'NAME',
  Description: 'DESCRIPTION',
  StarCount: 'STARS',
  IsOfficial: 'OFFICIAL',
  IsAutomated: 'AUTOMATED',
}

const DESCRIPTION_WIDTH = 45

export const search = command({
  usage: '[OPTIONS] TERM',
  summary: 'Search Docker Hub, or HOST where TERM is HOST/words, for images',
  flags: {
    filter: flag.list('Filter output based on conditions provided', { short: 'f', value: 'filter' }),
    format: flag.text('Pretty-print search using a Go template'),
    limit: flag.number('Max number of search results'),
    'no-trunc': flag.switch("Don't truncate output"),
  },
  min: 1,
  max: 1,
  async run(context, { flags, args: [term = ''] }) {
    const found = await context.client.get<readonly SearchResultJson[]>('/images/search', {
      query: { term, limit: flags.limit, filters: parseFilterFlags(flags.filter) },
      headers: await registryHeaders(context, hostOf(term)),
    })
    const rows = found.map((result) => rowOf(result, flags['no-trunc']))
    const shown = ['Name', 'Description', 'StarCount', 'IsOfficial']
    context.io.stdout.write(formatRows(rows, { columns: COLUMNS, shown, format: flags.format }))
    return 0
  },
})

/** The registry that is asked: a first part that can only be a host, else docker.io. */
function hostOf(term: string): string {
  const first = term.slice(0, Math.max(term.indexOf('/'), 0))
  return /[.:]/.test(first) || first === 'localhost' ? first : 'docker.io'
}

function rowOf(result: SearchResultJson, whole: boolean): Readonly<Record<keyof typeof COLUMNS, string>> {
  const description = result.description.replaceAll(/[\r\n]/g, ' ')
  return {
    Name: result.name,
    Description: whole ? description : ellipsis(description, DESCRIPTION_WIDTH),
    StarCount: String(result.star_count),
    IsOfficial: result.is_official ? '[OK]' : '',
    IsAutomated: result.is_automated ? '[OK]' : '',
  }
}
