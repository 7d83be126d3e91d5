import { type Bytes, invalid } from '#base'
import type { Engine, ImageService } from '#engine'
import { familiarReference, parsePlatform, type Platform, type Reference, withDefaultTag } from '#oci'
import { type AuthBody, parseAuthHeader } from '#wire'
import { type Exchange, progressLine, type Route, streamProgress, type TransferProgress } from '#api/exchange'
import { referenceOf } from './image-routes.ts'
import { importImage } from './import-image.ts'
import { parsePlatformParameter, requirePlatform } from './image-platform.ts'
import { parsePlatformText } from './platform-query.ts'

type Transfer = ImageService['transfer']
type TransferOptions = NonNullable<Parameters<Transfer['pull']>[1]>
type Credentials = NonNullable<TransferOptions['credentials']>

export function transferRoutes({ images }: Pick<Engine, 'images'>): readonly Route[] {
  const { transfer } = images
  return [
    { method: 'POST', pattern: '/images/create', handle: (exchange) => create(images, exchange) },
    { method: 'POST', pattern: '/images/load', handle: (exchange) => load(transfer, exchange) },
    { method: 'POST', pattern: '/images/{name...}/push', handle: (exchange) => push(images, exchange) },
    {
      method: 'GET',
      pattern: '/images/get',
      handle: (exchange) =>
        save(
          transfer,
          exchange,
          exchange.query.list('names').flatMap((names) => names.split(',')),
        ),
    },
    {
      method: 'GET',
      pattern: '/images/{name...}/get',
      handle: (exchange) => save(transfer, exchange, [exchange.param('name')]),
    },
  ]
}

async function create(images: ImageService, exchange: Exchange): Promise<void> {
  const { query } = exchange
  if (query.text('fromImage') !== undefined) return await pull(images.transfer, exchange)
  const source = query.text('fromSrc')
  if (source === undefined) throw invalid('either fromImage or fromSrc is needed')
  await importImage(images, exchange, source)
}

/** Without a tag: every tag of the repository. */
async function pull(transfer: Transfer, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange
  const name = referenceOf(query.text('fromImage'), query.text('tag'))
  const shared = { ...platformOf(exchange), credentials: credentialsOf(exchange.header('x-registry-auth')), signal }
  await streamProgress(exchange, async ({ line }) => {
    const options = { ...shared, progress: (progress: TransferProgress) => line(progressLine(progress)) }
    if (name.tag === undefined && name.digest === undefined) await transfer.pullAll(name, options)
    else await transfer.pull(name, options)
  })
}

async function push(images: ImageService, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange
  const { transfer } = images
  const name = referenceOf(exchange.param('name'), query.text('tag'))
  await checkPlatform(images, exchange, name)
  const shared = { ...compressionOf(exchange), credentials: credentialsOf(exchange.header('x-registry-auth')), signal }
  await streamProgress(exchange, async ({ line }) => {
    const options = { ...shared, progress: (progress: TransferProgress) => line(progressLine(progress)) }
    if (name.tag === undefined) {
      await transfer.pushAll(name, options)
      return
    }
    const { digest, size } = await transfer.push(name, options)
    line({ progressDetail: {}, aux: { Tag: name.tag, Digest: digest, Size: size } })
  })
}

/** An image is of one platform here: it is the one that is asked for, or nothing goes out. */
async function checkPlatform(images: ImageService, { query }: Exchange, name: Reference): Promise<void> {
  const platform = parsePlatformParameter(query.text('platform'))
  if (platform === undefined) return
  const text = familiarReference(withDefaultTag(name))
  requirePlatform(text, await images.get(text), platform)
}

/** A parameter that Docker's daemon does not have. */
function compressionOf({ query }: Exchange): { readonly compression?: 'gzip' | 'zstd' } {
  const text = query.text('compression')
  if (text === undefined) return {}
  if (text === 'gzip' || text === 'zstd') return { compression: text }
  throw invalid(`cannot push with compression ${JSON.stringify(text)}: gzip and zstd are known`)
}

async function load(transfer: Transfer, exchange: Exchange): Promise<void> {
  const { body, query, signal } = exchange
  const platform = onePlatform(query.list('platform'))
  const quiet = query.flag('quiet')
  await streamProgress(exchange, async ({ line }) => {
    const progress = (done: TransferProgress): void => line(progressLine(done))
    const outcomes = await transfer.load(body, { ...platform, signal, ...(!quiet && { progress }) })
    for (const { image, name, replaced } of outcomes) {
      if (name && replaced) line({ stream: `${renamed(name, replaced)}\n` })
      const text = name ? `Loaded image: ${familiarReference(name)}` : `Loaded image ID: ${image.id}`
      line({ stream: `${text}\n` })
    }
  })
}

function renamed(name: Reference, old: string): string {
  return `The image ${familiarReference(name)} already exists, renaming the old one with ID ${old} to empty string`
}

function onePlatform(texts: readonly string[]): { readonly platform?: Platform } {
  const [text] = texts
  if (texts.length > 1) throw invalid('multiple platform parameters not supported')
  return text === undefined ? {} : { platform: parsePlatformText(text) }
}

/** The head waits for the first bytes: an unknown name is answered by a status. */
async function save(transfer: Transfer, exchange: Exchange, names: readonly string[]): Promise<void> {
  const platform = onePlatform(exchange.query.list('platform'))
  if (names.length === 0) throw invalid('no image names are given')
  const bytes = transfer.save(names, { ...platform, signal: exchange.signal })[Symbol.asyncIterator]()
  const first = await bytes.next()
  const output = exchange.stream('application/x-tar')
  if (!first.done) await output.write(first.value)
  const rest: Bytes = { [Symbol.asyncIterator]: () => bytes }
  for await (const chunk of rest) await output.write(chunk)
  output.end()
}

/** Of the header; nobody's where it is absent or cannot be read, as Docker's daemon takes it. */
export function credentialsOf(header: string | undefined): Credentials {
  return credentialsFrom(parseAuthHeader(header))
}

export function credentialsFrom(auth: AuthBody): Credentials {
  const { username, password, identitytoken, registrytoken } = auth
  return {
    ...(username && { username }),
    ...(password && { password }),
    ...(identitytoken && { identityToken: identitytoken }),
    ...(registrytoken && { registryToken: registrytoken }),
  }
}

function platformOf({ query }: Exchange): { readonly platform?: Platform } {
  const text = query.text('platform')
  return text === undefined ? {} : { platform: parsePlatform(text) }
}
