/**
 * cli/request: what `run` and `create` ask for: their flags, and the body of POST /containers/create that these make, in
 * docker's words where one is wrong. Nothing is called here, and nothing judged that the daemon judges: what it does not
 * carry out it refuses by name.
 */
export type { Attachment, ContainerFlags } from './options.ts'
export { attachFlag, containerFlags, streamsOf } from './options.ts'
export { environment } from './lines.ts'
export { extraHosts } from './networking.ts'
export { containerRequest } from './request.ts'
export { parseBytes, parseSwap, parseUlimit } from './values.ts'
