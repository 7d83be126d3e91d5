import { apiRoutes } from '#api'
import type { Call } from '#test/watch-calls'

/** What the requests for one container are about; all names are its own. */
export interface Target {
  readonly id: string
  readonly name: string
  readonly network: string
  readonly volume: string
  /** The tag of an image of its own. */
  readonly tag: string
}

/** «GET /version», as the table has it. */
export type RouteName = string

export type Asked = readonly [RouteName, Call]

/** The routes of the table itself. Rooms that would answer are not there: nothing is asked of them. */
export function tableOfRoutes(): readonly RouteName[] {
  const nothing: object = new Proxy({}, { get: () => nothing })
  const parts = { engine: nothing, log: nothing } as Parameters<typeof apiRoutes>[0]
  return apiRoutes(parts).map(({ method, pattern }) => `${method} ${pattern}`)
}

type Facts = Omit<Call, 'method' | 'path'>

/** The call of a row: `{…}` of its pattern replaced by these words in their order, the query behind it. */
function row(route: RouteName, words: readonly string[] = [], query = '', facts: Facts = {}): Asked {
  const [method = '', pattern = ''] = route.split(' ')
  const left = [...words]
  const path = pattern.replaceAll(/\{[^}]*\}/g, () => left.shift() ?? 'none')
  return [route, { method, path: `${path}${query}`, ...facts }]
}

const ENDLESS = { endless: true }
const NOBODY = '127.0.0.1:1/nobody'
const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}

/** Only looks; each may be asked beside all others. */
export function lookingRows({ id, network, volume }: Target): readonly Asked[] {
  const one = [id]
  return [
    row('GET /containers/json', [], '?all=1&size=1'),
    row('GET /containers/{id...}/json', one, '?size=1'),
    row('GET /containers/{id...}/stats', one, '?stream=0'),
    row('GET /containers/{id...}/checkpoints', one),
    row('HEAD /containers/{id...}/archive', one, '?path=/etc/group'),
    row('GET /containers/{id...}/archive', one, '?path=/etc/group'),
    row('PUT /containers/{id...}/archive', one, '?path=/tmp', { body: Buffer.alloc(1024) }),
    row('GET /containers/{id...}/top', one),
    row('GET /containers/{id...}/changes', one),
    row('GET /containers/{id...}/export', one),
    row('GET /containers/{id...}/logs', one, '?stdout=1&stderr=1'),
    row('GET /containers/{id...}/logs', one, '?stdout=1&follow=1', ENDLESS),
    row('POST /containers/{id...}/attach', one, '?stream=1&stdout=1&stdin=1', ENDLESS),
    row('GET /containers/{id...}/attach/ws', one, '?stream=1&stdout=1', { headers: UPGRADE }),
    row('POST /containers/{id...}/resize', one, '?h=10&w=20'),
    row('POST /containers/{id...}/wait', one, '', ENDLESS),
    row('GET /volumes/{name...}', [volume]),
    row('GET /networks/{id}', [network]),
    row('GET /x/images/{name...}/layers', one),
  ]
}

/** About no container. `archive` is a build context. */
export function generalRows({ tag }: Target, archive: Buffer): readonly Asked[] {
  const busybox = ['busybox']
  const get = (path: string, query = '', facts: Facts = {}): Asked => row(`GET ${path}`, [], query, facts)
  const image = (path: string, query = ''): Asked => row(`GET ${path}`, busybox, query)
  return [
    ...['/_ping', '/version', '/info', '/system/df', '/x/disk', '/x/doctor', '/images/json'].map((path) => get(path)),
    ...['/x/images/tree', '/volumes', '/networks', '/networks/', '/x/registries', '/plugins'].map((path) => get(path)),
    row('HEAD /_ping'),
    row('POST /x/check', [], '', ENDLESS),
    get('/events', '', ENDLESS),
    image('/images/{name...}/json'),
    image('/images/{name...}/history'),
    image('/x/images/{name...}/layers'),
    image('/x/images/{name...}/diff', '?to=busybox'),
    image('/x/images/{name...}/files'),
    image('/images/{name...}/get'),
    get('/images/get', '?names=busybox'),
    get('/images/search', `?term=${NOBODY}`),
    row('GET /distribution/{name...}/json', [NOBODY]),
    row('GET /x/remote/{name...}/manifest', [NOBODY]),
    row('GET /x/remote/{name...}/tags', [NOBODY]),
    row('POST /auth', [], '', { body: { serveraddress: '127.0.0.1:1', username: 'me', password: 'it' } }),
    row('POST /images/create', [], '?fromImage=busybox&tag=latest'),
    row('POST /images/load', [], '', { body: Buffer.alloc(1024) }),
    row('POST /images/{name...}/push', [NOBODY], '', { headers: { 'x-registry-auth': 'e30=' } }),
    row('POST /build', [], `?t=${tag}-built&nocache=1`, { body: archive }),
    row('POST /grpc'),
    row('POST /session'),
    row('POST /build/cancel'),
    row('PUT /volumes/{name...}', ['none'], '?version=1', { body: {} }),
    row('POST /x/registries', [], '', { body: {} }),
    row('DELETE /x/registries/{address}', ['127.0.0.1:1']),
    row('POST /x/registries/prune'),
    row('POST /swarm/leave'),
    ...swarmRows(),
  ]
}

function swarmRows(): readonly Asked[] {
  const groups = ['swarm', 'nodes', 'services', 'tasks', 'secrets', 'configs', 'plugins']
  return groups.flatMap((group) =>
    ['GET', 'POST', 'DELETE'].flatMap((method) => [
      ...(group === 'plugins' ? [] : [row(`${method} /${group}`)]),
      row(`${method} /${group}/{rest...}`, ['some/json']),
    ]),
  )
}

/** What changes a container and ends it, in an order in which each has something to do. `EXEC` stands for the exec made before. */
export function changingRows({ id, name, network, volume, tag }: Target): readonly Asked[] {
  const post = (action: string, query = '', facts: Facts = {}): Asked =>
    row(`POST /containers/{id...}/${action}`, [id], query, facts)
  const exec = { body: { Cmd: ['id', '-u'], User: 'mail', AttachStdout: true, AttachStderr: true } }
  return [
    post('rename', `?name=${name}-again`),
    post('exec', '', exec),
    row('POST /exec/{id}/resize', ['EXEC'], '?h=10&w=20'),
    row('POST /exec/{id}/start', ['EXEC'], '', { body: { Detach: false } }),
    row('GET /exec/{id}/json', ['EXEC']),
    post('update', '', { body: { CpuShares: 5 } }),
    post('checkpoints', '', { body: { CheckpointID: 'some' } }),
    row('POST /networks/{id}/disconnect', [network], '', { body: { Container: id } }),
    row('POST /networks/{id}/connect', [network], '', { body: { Container: id } }),
    post('pause'),
    post('unpause'),
    row('POST /commit', [], `?container=${id}&repo=${tag}`),
    row('POST /images/{name...}/tag', [tag], `?repo=${tag}-again`),
    row('DELETE /images/{name...}', [`${tag}-again`]),
    row('DELETE /images/{name...}', [tag]),
    post('kill', '?signal=WINCH'),
    post('restart', '?t=0'),
    post('stop', '?t=0'),
    post('start'),
    row('DELETE /containers/{id...}', [id], '?force=1'),
    row('DELETE /volumes/{name...}', [volume]),
    row('DELETE /networks/{id}', [network]),
  ]
}

/** What makes the parts of a target. */
export function makingRows({ name, network, volume }: Omit<Target, 'id'>, request: object): readonly Asked[] {
  return [
    row('POST /networks/create', [], '', { body: { Name: network } }),
    row('POST /volumes/create', [], '', { body: { Name: volume } }),
    row('POST /containers/create', [], `?name=${name}`, { body: request }),
  ]
}

/** Takes away what nobody uses; `label` is that of nothing. */
export function pruningRows(label: string): readonly Asked[] {
  const filters = `?filters=${encodeURIComponent(JSON.stringify({ label: [label] }))}`
  return [
    ...['containers', 'volumes', 'networks'].map((what) => row(`POST /${what}/prune`, [], filters)),
    row('POST /images/prune'),
    row('POST /build/prune'),
  ]
}
