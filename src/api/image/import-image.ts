import { type Bytes, invalid } from '#base'
import type { ImageService } from '#engine'
import { parsePlatform, withDefaultTag } from '#oci'
import { type Exchange, progressLine, type ProgressStream, streamProgress } from '#api/exchange'
import { referenceOf } from './image-routes.ts'

/** Bytes between two lines of progress. */
const STEP = 512 << 10

type ImportOptions = Parameters<ImageService['transfer']['importRoot']>[1]

/** A root file system's tar, the request's body (`-`) or a file of the web, becomes an image. */
export async function importImage(images: ImageService, exchange: Exchange, source: string): Promise<void> {
  const options = optionsOf(images, exchange)
  if (source === '-') {
    await streamProgress(exchange, async ({ line }) => {
      line({ status: (await images.transfer.importRoot(exchange.body, options)).id })
    })
    return
  }
  const address = source.includes('://') ? source : `http://${source}`
  await using file = await images.fetch(address, exchange.signal)
  await streamProgress(exchange, async ({ line }) => {
    line({ status: `Downloading from ${address}` })
    const bytes = counted(file, line)
    line({ status: (await images.transfer.importRoot(bytes, { message: `Imported from ${address}`, ...options })).id })
  })
}

function optionsOf(images: ImageService, { query, signal }: Exchange): ImportOptions {
  const changes = query.list('changes')
  images.applyChanges({}, changes)
  const repository = query.text('repo')
  const name = repository === undefined ? undefined : withDefaultTag(referenceOf(repository, query.text('tag')))
  if (name?.digest !== undefined) throw invalid('cannot import digest reference')
  const [message, platform] = [query.text('message'), query.text('platform')]
  return {
    ...(platform !== undefined && { platform: parsePlatform(platform) }),
    ...(name && { name }),
    ...(message !== undefined && { message }),
    changes: (config) => images.applyChanges(config, changes),
    signal,
  }
}

async function* counted(
  { body, length }: { readonly body: Bytes; readonly length?: number },
  line: ProgressStream['line'],
): Bytes {
  const status = 'Importing'
  const total = length === undefined ? {} : { total: length }
  let current = 0
  let said = 0
  for await (const chunk of body) {
    current += chunk.length
    if (current - said >= STEP) {
      said = current
      line(progressLine({ status, current, ...total }))
    }
    yield chunk
  }
  if (current > said) line(progressLine({ status, current, ...total }))
}
