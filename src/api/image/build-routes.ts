import { unsupported } from '#base'
import type { Engine } from '#engine'
import type { ProgressLine } from '#wire'
import { type Exchange, refuseCalls, type Route, streamProgress } from '#api/exchange'
import { pruneCache } from './cache-prune.ts'
import { CLASSIC_ONLY, parseBuild } from './build-request.ts'
import { BuildStream } from './build-stream.ts'

export function buildRoutes(engine: Pick<Engine, 'builds' | 'system'>): readonly Route[] {
  const { builds } = engine
  return [
    { method: 'POST', pattern: '/build', takesBody: true, handle: (exchange) => build(builds, exchange) },
    { method: 'POST', pattern: '/build/prune', handle: (exchange) => pruneCache(engine, exchange) },
    { method: 'POST', pattern: '/grpc', hijacks: true, handle: refuseBuildKit },
    { method: 'POST', pattern: '/session', handle: classicOnly },
    { method: 'POST', pattern: '/build/cancel', handle: classicOnly },
  ]
}

function classicOnly(): never {
  throw unsupported(CLASSIC_ONLY)
}

function refuseBuildKit(exchange: Exchange): void {
  if (exchange.header('upgrade') === undefined) classicOnly()
  refuseCalls(exchange.hijack('application/grpc'), CLASSIC_ONLY)
}

/** Quiet, the id is all that is said; a build that fails says what it would have said. */
async function build(builds: Engine['builds'], exchange: Exchange): Promise<void> {
  const request = parseBuild(exchange)
  const quiet = exchange.query.flag('q')
  await streamProgress(exchange, async ({ line, end }) => {
    const held: ProgressLine[] = []
    const stream = new BuildStream(quiet ? (said) => held.push(said) : line)
    try {
      await builds.build(request, {
        onEvent: (event) => stream.event(event),
        onOutcome: (outcome) => {
          if (quiet) line({ stream: `${outcome.image}\n` })
          else stream.finish(outcome)
          end()
        },
        signal: exchange.signal,
      })
    } catch (error) {
      stream.flush()
      for (const said of held) line(said)
      throw error
    }
  })
}
