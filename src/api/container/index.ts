/**
 * api/container: the routes of containers and of commands in them: requests to create one checked field by field, views in
 * Docker's shapes, filters, logs and attached streams, archives. It promises that a field of the request that is not
 * carried out is refused by its name. What a container is belongs to `container`, behind the engine.
 */
export { containerRoutes } from './container-routes.ts'
export { containerSummary } from './container-view.ts'
export { execRoutes } from './exec-routes.ts'
