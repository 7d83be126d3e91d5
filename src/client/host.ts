import { invalid } from '#base'

/** Where an engine listens. */
export type Host =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly name: string; readonly port: number }

const DEFAULT_PORT = 2375

/** `unix:///run/mica/mica.sock`, `tcp://127.0.0.1:2375`, or a bare path. Throws `invalid`. */
export function parseHost(text: string): Host {
  if (text.startsWith('/')) return { kind: 'unix', path: text }
  const [, scheme, rest = ''] = /^([a-z]+):\/\/(.*)$/.exec(text) ?? []
  if (scheme === 'unix' && rest.startsWith('/')) return { kind: 'unix', path: rest }
  if (scheme === 'tcp' || scheme === 'http') return parseTcp(rest, text)
  throw invalid(`cannot use host ${text}: it must be unix:///path or tcp://address:port`)
}

function parseTcp(rest: string, text: string): Host {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^/:]+))(?::(\d{1,5}))?\/?$/.exec(rest) ?? []
  const name = bracketed ?? plain
  if (name === undefined) throw invalid(`cannot use host ${text}: it must be unix:///path or tcp://address:port`)
  return { kind: 'tcp', name, port: port === undefined ? DEFAULT_PORT : Number(port) }
}

/** «127.0.0.1:2375», «[::1]:2375». */
export function formatAuthority({ name, port }: Extract<Host, { kind: 'tcp' }>): string {
  return `${name.includes(':') ? `[${name}]` : name}:${port}`
}
