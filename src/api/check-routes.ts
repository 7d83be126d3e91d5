import type { CheckEvent, CheckSummary, Damage, Engine } from '#engine'
import type { CheckAux, CheckSummaryJson, DamageJson } from '#wire'
import { type Exchange, type Route, streamProgress } from '#api/exchange'
import { credentialsFor } from '#api/image'

/** The check of the store; nothing of it is in Docker's API. */
export function checkRoutes({ system }: Pick<Engine, 'system'>): readonly Route[] {
  return [{ method: 'POST', pattern: '/x/check', handle: (exchange) => check(system, exchange) }]
}

/** Progress lines, and in `aux` what was found (`CheckAux`); the last one is the summary. */
async function check(system: Engine['system'], exchange: Exchange): Promise<void> {
  const { query, signal } = exchange
  const credentials = credentialsFor(exchange.header('x-registry-config'))
  await streamProgress(exchange, async ({ begin, line }) => {
    const aux = (value: CheckAux): void => line({ aux: value })
    const report = (event: CheckEvent): void => {
      switch (event.kind) {
        case 'begun':
          return begin()
        case 'progress':
          return line({
            id: event.of,
            status: 'Checking',
            progressDetail: { current: event.done, total: event.total },
            progress: `${event.done}/${event.total}`,
          })
        case 'damage':
          return aux({ Damage: damageJson(event.damage) })
        case 'repair': {
          const { damage, outcome, text } = event.repair
          return aux({ Repair: { Damage: damageJson(damage), Outcome: outcome, Text: text } })
        }
      }
    }
    const options = {
      repair: query.flag('repair'),
      signal,
      report,
      ...(credentials && { credentialsFor: credentials }),
    }
    aux({ Summary: summaryJson(await system.check(options)) })
  })
}

function damageJson({ kind, id, path = '', what, usedBy, cure }: Damage): DamageJson {
  return { Kind: kind, Id: id, Path: path, What: what, UsedBy: usedBy, Cure: cure }
}

function summaryJson(summary: CheckSummary): CheckSummaryJson {
  return {
    Blobs: summary.blobs,
    Layers: summary.layers,
    Images: summary.images,
    Containers: summary.containers,
    Volumes: summary.volumes,
    Bytes: summary.bytes,
    Seconds: summary.seconds,
    Damages: summary.damages,
    Healed: summary.healed,
    Dropped: summary.dropped,
    Left: summary.left,
  }
}
