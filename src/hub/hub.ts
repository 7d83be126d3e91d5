import { readFile } from 'node:fs/promises'
import { invalid, messageOf, notFound } from '#base'
import * as v from 'valibot'
import { formatListen, isLoopback, parseListen } from './address.ts'
import { createUserCheck, hashPassword } from './auth.ts'
import { localImages } from './local-images.ts'
import { mirrorShelf } from './mirror-shelf.ts'
import { ownShelf, type OwnShelf } from './own-shelf.ts'
import { hubRecords, spaceRecords, type HubRecords } from './records.ts'
import type { Service } from './routes.ts'
import { openServer } from './server.ts'
import type { Hub, HubParts, Listener, ServeOptions, ServeRequest } from './types.ts'
import { createUploads, type Uploads } from './uploads.ts'

export function createHub(parts: HubParts): Hub {
  return new HubKeeper(parts)
}

/** A listener and what goes with it. */
interface Running {
  readonly listener: Listener
  readonly close: AsyncDisposable
  readonly stopped: PromiseWithResolvers<void>
}

class HubKeeper implements Hub {
  readonly #parts: HubParts
  readonly #records: HubRecords
  readonly #shelf: OwnShelf
  readonly #uploads: Uploads
  readonly #running = new Map<string, Running>()

  constructor(parts: HubParts) {
    const { database, clock, content, leases, log } = parts
    const records = spaceRecords(database, clock, '')
    this.#parts = parts
    this.#records = hubRecords(database, clock)
    this.#shelf = ownShelf({ records, content, local: localImages(parts) })
    this.#uploads = createUploads({ content, leases, records, log })
  }

  async serve(request: ServeRequest, { keep }: { readonly keep: boolean }): Promise<Listener> {
    const { user, ...rest } = request
    const options: ServeOptions = {
      ...rest,
      ...(user && { user: { name: user.name, secret: await hashPassword(user.password) } }),
    }
    const listener = await this.#open(options, keep)
    if (keep) this.#records.saveListener(listener.address, JSON.stringify({ ...options, listen: listener.address }))
    return listener
  }

  list(): readonly Listener[] {
    return [...this.#running.values()].map(({ listener }) => listener)
  }

  stopped(address: string): Promise<void> {
    return this.#running.get(address)?.stopped.promise ?? Promise.resolve()
  }

  async stop(address: string): Promise<void> {
    const found = this.#running.get(address) ?? this.#running.get(formatListen(parseListen(address)))
    if (!found) throw notFound('registry', address)
    this.#running.delete(found.listener.address)
    this.#records.removeListener(found.listener.address)
    await found.close[Symbol.asyncDispose]()
  }

  repositories(): ReturnType<Hub['repositories']> {
    return this.#records.summary()
  }

  prune({ mirrors }: { readonly mirrors: boolean }): number {
    return this.#records.prune(mirrors)
  }

  async restore(): Promise<void> {
    for (const [address, options] of this.#records.listeners()) {
      try {
        await this.#open(parseOptions(options), true)
      } catch (error) {
        this.#parts.log.warn(`registry ${address} is not served again`, { error: messageOf(error) })
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#running.values()]
    this.#running.clear()
    await Promise.all(all.map(({ close }) => close[Symbol.asyncDispose]()))
    await this.#uploads[Symbol.asyncDispose]()
  }

  async #open(options: ServeOptions, keep: boolean): Promise<Listener> {
    checkAddress(options)
    await using stack = new AsyncDisposableStack()
    const service = this.#serviceOf(options, stack)
    const { leases, log } = this.#parts
    const tls = await readTls(options)
    const server = stack.use(
      await openServer(
        { service, leases, log, checkUser: createUserCheck(options.user), ...(tls && { tls }) },
        options.listen,
      ),
    )
    const { user, mirrorOf } = options
    const listener: Listener = {
      address: server.address,
      readOnly: service.writing === undefined,
      isTls: tls !== undefined,
      isKept: keep,
      ...(user && { user: user.name }),
      ...(mirrorOf !== undefined && { mirrorOf }),
    }
    const stopped = Promise.withResolvers<void>()
    stack.defer(() => stopped.resolve())
    this.#running.set(listener.address, { listener, stopped, close: stack.move() })
    return listener
  }

  #serviceOf({ mirrorOf, readOnly }: ServeOptions, stack: AsyncDisposableStack): Service {
    const { content, registries, database, clock } = this.#parts
    if (mirrorOf === undefined) {
      const writing = { shelf: this.#shelf, uploads: this.#uploads }
      return { shelf: this.#shelf, content, ...(!readOnly && { writing }) }
    }
    const registry = registries.at(mirrorOf)
    const records = spaceRecords(database, clock, mirrorOf.replace(/\/+$/, ''))
    return { shelf: stack.use(mirrorShelf({ ...this.#parts, registry, records })), content }
  }
}

function checkAddress({ listen, isPublic }: ServeOptions): void {
  if (isPublic || isLoopback(parseListen(listen))) return
  throw invalid(`cannot listen on ${listen}: other machines could reach it; --public says that this is meant`)
}

async function readTls({ tls }: ServeOptions): Promise<{ readonly cert: Buffer; readonly key: Buffer } | undefined> {
  if (!tls) return undefined
  try {
    return { cert: await readFile(tls.certificate), key: await readFile(tls.key) }
  } catch (error) {
    throw invalid(`cannot read the certificate or its key: ${messageOf(error)}`, { cause: error })
  }
}

const optionsSchema = v.object({
  listen: v.string(),
  readOnly: v.boolean(),
  isPublic: v.boolean(),
  mirrorOf: v.optional(v.string()),
  user: v.optional(v.object({ name: v.string(), secret: v.object({ salt: v.string(), hash: v.string() }) })),
  tls: v.optional(v.object({ certificate: v.string(), key: v.string() })),
})

function parseOptions(text: string): ServeOptions {
  const { mirrorOf, user, tls, ...rest } = v.parse(optionsSchema, JSON.parse(text))
  return { ...rest, ...(mirrorOf !== undefined && { mirrorOf }), ...(user && { user }), ...(tls && { tls }) }
}
