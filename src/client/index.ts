/**
 * client: the Docker Engine API from the other side, over a unix socket or TCP: JSON calls, streams of bytes and of
 * JSON lines, uploads, and hijacked connections with half-close. It speaks HTTP/1.1 itself on `node:net`, because a
 * short command costs what it loads. Refusals come out as `EngineError`. Shapes and framing belong to `wire`,
 * what is shown to a user to `cli`.
 */
export { createClient } from './client.ts'
export type { CallOptions, Client, Hijacked, QueryValue, Reply } from './client.ts'
