/**
 * api/exchange: HTTP as the Docker Engine API uses it: listeners, the table of routes, a request with its checked query and
 * body, replies, progress streams, hijacked connections and web sockets, and the one place where kinds of error become
 * statuses. It promises one reply for each request, whatever a handler throws, and bounds on what a client may send. What the
 * routes do belongs to the rooms beside it.
 */
export { type Exchange, JsonText, type ReplyStream, type SmallExchange } from './exchange.ts'
export { refuseCalls } from './grpc-refusal.ts'
export type { RawStream } from './hijack.ts'
export { progressLine, type TransferProgress } from './progress-line.ts'
export { type ProgressStream, streamProgress } from './progress-stream.ts'
export type { Query } from './query.ts'
export { createRouter, type Handler, type Route } from './route.ts'
export { type ApiServer, createApiServer } from './server.ts'
export { logTimeText, secondsOf, secondsOfText, timeText, wallClock } from './time-text.ts'
export { parseUntil, untilOf } from './until.ts'
