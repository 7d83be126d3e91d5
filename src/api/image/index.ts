/**
 * api/image: the routes of images: lists, views and filters in Docker's shapes, pull, push, save, load and import with their
 * progress, builds with the classic builder's stream, and mica's own looks into layers. It promises that a stream that has begun
 * ends with its error in the stream. Layers, transfers and builds themselves are behind the engine.
 */
export { credentialsFor } from './build-request.ts'
export { buildRoutes } from './build-routes.ts'
export { imageRoutes } from './image-routes.ts'
export { imageSummary, withVirtualSize } from './image-view.ts'
export { registryRoutes } from './registry-routes.ts'
export { remoteRoutes } from './remote-routes.ts'
export { transferRoutes } from './transfer-routes.ts'
