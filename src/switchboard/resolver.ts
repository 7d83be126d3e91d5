import { statSync } from 'node:fs'
import { answerFrom, type View } from './answer.ts'
import type { HostServers } from './host-servers.ts'
import { ADDRESS, openListener } from './listener.ts'
import { CODE, encodeAnswer, parseQuery, type Query } from './message.ts'
import type { NetworkNames } from './names.ts'
import type { SwitchboardSandbox } from './types.ts'
import type { Server, Upstream } from './upstream.ts'

const STREAM_SIZE = 65_535

export interface ResolverParts {
  readonly upstream: Upstream
  readonly hostServers: HostServers
  readonly namesOf: (network: string) => NetworkNames | undefined
}

/** The resolver of one sandbox. Disposing closes its sockets. */
export interface Resolver extends Disposable {
  /** The same sandbox, with other networks or settings; in another namespace its sockets are opened anew. */
  update(sandbox: SwitchboardSandbox): void
}

/** Answers from now on. Throws where its sockets cannot be opened. */
export function openResolver(parts: ResolverParts, first: SwitchboardSandbox): Resolver {
  let sandbox = first
  const answering = (message: Buffer, protocol: 'udp' | 'tcp') => answer(parts, sandbox, { message, protocol })
  let place = placeOf(first.path)
  let listener = openListener(first.path, answering)
  return {
    update(next) {
      const now = placeOf(next.path)
      if (now !== place) {
        const opened = openListener(next.path, answering)
        listener[Symbol.dispose]()
        listener = opened
        place = now
      }
      sandbox = next
    },
    [Symbol.dispose]: () => listener[Symbol.dispose](),
  }
}

/** Which namespace the file is: the path of a container's is the same at its next start. */
function placeOf(path: string): string {
  const { dev, ino } = statSync(path)
  return `${dev} ${ino}`
}

interface Received {
  readonly message: Buffer
  readonly protocol: 'udp' | 'tcp'
}

function answer(
  parts: ResolverParts,
  sandbox: SwitchboardSandbox,
  { message, protocol }: Received,
): Promise<Buffer> | Buffer | undefined {
  const parsed = parseQuery(message)
  if (parsed.kind === 'ignored') return undefined
  if (parsed.kind === 'refused') return parsed.answer
  const view: View = { networks: sandbox.networks, options: sandbox.options, namesOf: parts.namesOf }
  const outcome = answerFrom(view, parsed.query, protocol === 'tcp' ? STREAM_SIZE : parsed.query.size)
  return outcome === 'ask' ? askOthers(parts, sandbox, { message, protocol, query: parsed.query }) : outcome.answer
}

async function askOthers(
  parts: ResolverParts,
  sandbox: SwitchboardSandbox,
  { message, protocol, query }: Received & { readonly query: Query },
): Promise<Buffer> {
  const servers = serversOf(parts, sandbox)
  const found = await parts.upstream.ask(servers, { message, protocol, question: query.question })
  return found ?? encodeAnswer(query, CODE.server)
}

/** Nobody for a sandbox that has internal networks only: no packet leaves it on account of a name. */
function serversOf(parts: ResolverParts, { networks, servers, path }: SwitchboardSandbox): readonly Server[] {
  if (networks.every(({ internal }) => internal)) return []
  if (servers.length === 0) return parts.hostServers.list().map((address) => ({ address }))
  // It would ask itself.
  return servers.filter((address) => address !== ADDRESS).map((address) => ({ address, path }))
}
