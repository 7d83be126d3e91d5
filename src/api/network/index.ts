/**
 * api/network: the routes of networks and volumes: what a request asks of an endpoint, and networks, volumes and
 * endpoints in Docker's shapes. It promises to refuse what it does not know by its name. Addresses, rules and folders
 * belong to `network` and `volume`, behind the engine.
 */
export { endpointRequests, isUserDefined, plainEndpoint, SEVERAL_SINCE } from './endpoint-request.ts'
export { networkRoutes } from './network-routes.ts'
export { networkSettingsJson, networksJson, portsJson } from './network-view.ts'
export { volumeJson, volumeRoutes } from './volume-routes.ts'
