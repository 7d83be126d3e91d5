import { isIP } from 'node:net'
import { invalid } from '#base'

export interface ListenAddress {
  /** Empty: every address of this machine. */
  readonly host: string
  readonly port: number
}

/** `127.0.0.1:5000`, `[::1]:5000`, `localhost:0`, `:5000`. Throws `invalid`. */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([0-9a-fA-F:]+)\]|([^:/\s]*)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  const isAddress = host === '' || host === 'localhost' || isIP(host) !== 0
  if (port !== '' && Number(port) <= 65_535 && isAddress) return { host, port: Number(port) }
  throw invalid(`cannot listen on ${JSON.stringify(text)}: want an address and a port, like 127.0.0.1:5000`)
}

/** True for an address that only this machine reaches. */
export function isLoopback({ host }: ListenAddress): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

export function formatListen({ host, port }: ListenAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
