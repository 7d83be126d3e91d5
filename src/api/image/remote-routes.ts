import { EngineError, invalid } from '#base'
import type { Engine } from '#engine'
import { parseNamed, repositoryOf } from '#oci'
import {
  checkFilterNames,
  type DistributionJson,
  filterFlag,
  type Filters,
  parseAuthBody,
  type RemoteManifestJson,
  type SearchResultJson,
} from '#wire'
import type { Exchange, Route } from '#api/exchange'
import { credentialsFrom, credentialsOf } from './transfer-routes.ts'

type Remotes = Engine['remotes']

/** What is asked of registries on a client's behalf. */
export function remoteRoutes({ remotes }: Pick<Engine, 'remotes'>): readonly Route[] {
  return [
    { method: 'POST', pattern: '/auth', handle: (exchange) => login(remotes, exchange) },
    { method: 'GET', pattern: '/images/search', handle: (exchange) => search(remotes, exchange) },
    { method: 'GET', pattern: '/distribution/{name...}/json', handle: (exchange) => describe(remotes, exchange) },
    { method: 'GET', pattern: '/x/remote/{name...}/manifest', handle: (exchange) => manifest(remotes, exchange) },
    { method: 'GET', pattern: '/x/remote/{name...}/tags', handle: (exchange) => listTags(remotes, exchange) },
  ]
}

async function login(remotes: Remotes, { json, signal, reply }: Exchange): Promise<void> {
  const body = parseAuthBody(await json())
  const { identityToken = '' } = await remotes.login(body.serveraddress ?? '', credentialsFrom(body), signal)
  reply(200, { IdentityToken: identityToken, Status: 'Login Succeeded' })
}

async function describe(remotes: Remotes, { param, header, signal, reply }: Exchange): Promise<void> {
  const text = param('name')
  // Docker's word for what could only be an image here.
  if (/^[0-9a-f]{64}$/.test(text)) throw new EngineError('internal', 'no manifest found for full image ID')
  const credentials = credentialsOf(header('x-registry-auth'))
  const { descriptor, platforms } = await remotes.describe(parseNamed(text), { credentials, signal })
  const { mediaType, digest, size, annotations } = descriptor
  const answer: DistributionJson = {
    Descriptor: { mediaType, digest, size, ...(annotations && { annotations }) },
    Platforms: platforms.map(({ architecture, os, variant }) => ({ architecture, os, ...(variant && { variant }) })),
  }
  reply(200, answer)
}

async function manifest(remotes: Remotes, { param, header, signal, reply }: Exchange): Promise<void> {
  const credentials = credentialsOf(header('x-registry-auth'))
  const bytes = await remotes.manifest(parseNamed(param('name')), { credentials, signal })
  const answer: RemoteManifestJson = { Manifest: Buffer.from(bytes).toString() }
  reply(200, answer)
}

async function listTags(remotes: Remotes, { param, header, signal, reply }: Exchange): Promise<void> {
  const credentials = credentialsOf(header('x-registry-auth'))
  reply(200, { Tags: await remotes.tags(repositoryOf(parseNamed(param('name'))), { credentials, signal }) })
}

const SEARCH_FILTERS = ['is-automated', 'is-official', 'stars']
const DEFAULT_FOUND = 25
const MOST_FOUND = 100

async function search(remotes: Remotes, { query, header, signal, reply }: Exchange): Promise<void> {
  const filters = query.filters()
  checkFilterNames(filters, SEARCH_FILTERS)
  const isOfficial = filterFlag(filters, 'is-official', undefined)
  const isAutomated = filterFlag(filters, 'is-automated', undefined)
  const stars = leastStars(filters)
  const limit = query.integer('limit') || DEFAULT_FOUND
  if (limit < 1 || limit > MOST_FOUND) throw invalid(`limit ${limit} is outside the range of [1, ${MOST_FOUND}]`)
  const credentials = credentialsOf(header('x-registry-auth'))
  const found = await remotes.search(query.text('term') ?? '', { limit, credentials, signal })
  const fits = found.filter(
    (one) =>
      (isOfficial === undefined || one.official === isOfficial) &&
      (isAutomated === undefined || one.automated === isAutomated) &&
      one.stars >= stars,
  )
  reply(
    200,
    fits.map((one): SearchResultJson => ({
      star_count: one.stars,
      is_official: one.official,
      name: one.name,
      is_automated: one.automated,
      description: one.description,
    })),
  )
}

function leastStars(filters: Filters): number {
  const all = (filters.get('stars') ?? []).map((text) => {
    if (/^[-+]?\d+$/.test(text)) return Number(text)
    throw invalid(`invalid filter 'stars=${text}': strconv.Atoi: parsing "${text}": invalid syntax`)
  })
  return Math.max(0, ...all)
}
