/**
 * api: the Docker Engine API over a unix socket and loopback TCP: tables of routes, checks of requests, replies,
 * progress streams and hijacked connections, and the one place where kinds of error become statuses. What is not
 * carried out is refused with a sentence that names the flag; nothing that a client asks for is silently left out.
 * mica's own routes lie below /x. What is done, and how, belongs to `engine`; the shapes on the wire to `wire`.
 */
import type { Log } from '#base'
import type { Engine } from '#engine'
import { checkRoutes } from './check-routes.ts'
import { eventRoutes } from './event-routes.ts'
import { swarmRoutes } from './swarm-routes.ts'
import { systemRoutes } from './system-routes.ts'

export interface ApiOptions {
  readonly engine: Engine
  readonly log: Log
}

export type { ApiServer } from '#api/exchange'
import { containerRoutes, execRoutes } from '#api/container'
import { type ApiServer, createApiServer, createRouter, type Route } from '#api/exchange'
import { buildRoutes, imageRoutes, registryRoutes, remoteRoutes, transferRoutes } from '#api/image'
import { networkRoutes, volumeRoutes } from '#api/network'

/** The API of an engine; it listens once `listen` is called. */
export function createApi(options: ApiOptions): ApiServer {
  const router = createRouter(apiRoutes(options))
  const { engine, log } = options
  return createApiServer({ router, log, product: `mica/${engine.system.version} (linux)` })
}

/** All that is answered; a test asks for each row when something stands still. */
export function apiRoutes({ engine, log }: ApiOptions): readonly Route[] {
  return [
    ...systemRoutes(engine),
    ...checkRoutes(engine),
    ...eventRoutes(engine),
    ...imageRoutes(engine),
    ...transferRoutes(engine),
    ...buildRoutes(engine),
    ...containerRoutes(engine),
    ...execRoutes(engine, log),
    ...volumeRoutes(engine),
    ...networkRoutes(engine),
    ...registryRoutes(engine),
    ...remoteRoutes(engine),
    ...swarmRoutes(),
  ]
}
