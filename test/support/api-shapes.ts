import { request } from 'node:http'
import type { Docker } from './docker.ts'

/** The API versions that are compared, oldest first. */
const VERSIONS = Array.from({ length: 11 }, (_, index) => `1.${41 + index}`)

/** Of each question: every path of keys in its answer, with the versions that have it («1.41-1.43 1.51»). */
export type Shapes = Readonly<Record<string, Readonly<Record<string, string>>>>

export interface Answer {
  readonly status: number
  readonly text: string
}

/** One request to the engine behind this socket. */
export function ask(socket: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, path, headers: { host: 'docker' } }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end()
  })
}

/** What the scene makes: container, network, volume, image and an exec of the container. */
const NAME = 'api-shapes'

export interface Scene extends AsyncDisposable {
  readonly exec: string
}

/** Makes one of everything that can be asked for; disposing takes it away again. `image` has to be there, or to be pulled. */
export async function makeScene(docker: Docker, socket: string, image: string): Promise<Scene> {
  await docker.ok('network', 'create', '--label', 'a=b', NAME)
  await docker.ok('volume', 'create', '--label', 'a=b', NAME)
  const words = ['-v', `${NAME}:/data`, '-p', '127.0.0.1::80', '-l', 'a=b', '--network', NAME]
  await docker.ok('run', '-d', '--name', NAME, ...words, image, 'sleep', '1000')
  await docker.ok('tag', image, `${NAME}:one`)
  await docker.ok('exec', '-d', NAME, 'sleep', '1000')
  const { text } = await ask(socket, `/containers/${NAME}/json`)
  const { ExecIDs } = JSON.parse(text) as { ExecIDs: readonly string[] }
  return {
    exec: ExecIDs[0] ?? '',
    async [Symbol.asyncDispose]() {
      await docker.ok('rm', '-f', NAME)
      await docker.ok('rmi', `${NAME}:one`)
      await docker.ok('volume', 'rm', NAME)
      await docker.ok('network', 'rm', NAME)
    },
  }
}

interface Question {
  readonly name: string
  readonly path: string
  /** Only what the scene made: an engine may hold more. */
  readonly pick?: (answer: unknown) => unknown
}

const only = (filter: string, more = ''): string => `filters=${encodeURIComponent(`{"${filter}":["${NAME}"]${more}}`)}`

function questions(scene: Scene): readonly Question[] {
  const container = `/containers/${NAME}`
  return [
    { name: 'version', path: '/version' },
    { name: 'info', path: '/info' },
    { name: 'container inspect', path: `${container}/json` },
    { name: 'container inspect, size', path: `${container}/json?size=1` },
    { name: 'container list', path: `/containers/json?${only('name')}` },
    { name: 'container list, size', path: `/containers/json?size=1&${only('name')}` },
    { name: 'container top', path: `${container}/top` },
    { name: 'container changes', path: `${container}/changes` },
    { name: 'exec inspect', path: `/exec/${scene.exec}/json` },
    { name: 'image inspect', path: `/images/${NAME}:one/json` },
    { name: 'image list', path: `/images/json?${only('reference')}` },
    { name: 'image list, shared size', path: `/images/json?shared-size=1&${only('reference')}` },
    { name: 'image history', path: `/images/${NAME}:one/history` },
    { name: 'network inspect', path: `/networks/${NAME}` },
    { name: 'network list', path: `/networks?${only('name')}` },
    { name: 'volume inspect', path: `/volumes/${NAME}` },
    { name: 'volume list', path: `/volumes?${only('name')}` },
    { name: 'disk use', path: '/system/df', pick: ownOfDiskUse },
    {
      name: 'event',
      path: `/events?since=0&until=${Math.ceil(Date.now() / 1000)}&${only('container', ',"event":["start"]')}`,
    },
  ]
}

const OWN_NAMES = new Set([NAME, `/${NAME}`, `${NAME}:one`])

/** Lists hold what the scene made alone; the build cache is its engine's own. */
function ownOfDiskUse(answer: unknown): unknown {
  const isOwn = (item: Record<string, unknown>): boolean =>
    [item['Name'], item['Names'], item['RepoTags']].flat().some((name) => OWN_NAMES.has(String(name)))
  return Object.fromEntries(
    Object.entries(answer as Record<string, unknown>).map(([name, value]) => [
      name,
      Array.isArray(value) ? (name === 'BuildCache' ? [] : value.filter(isOwn)) : value,
    ]),
  )
}

/** Asks everything in every version. */
export async function shapesOf(socket: string, scene: Scene): Promise<Shapes> {
  const shapes: Record<string, Record<string, string>> = {}
  for (const question of questions(scene)) {
    const versionsOf = new Map<string, string[]>()
    for (const version of VERSIONS) {
      const { status, text } = await ask(socket, `/v${version}${question.path}`)
      if (status !== 200) throw new Error(`${question.path} in ${version}: ${status} ${text}`)
      const answer: unknown = JSON.parse(text.split('\n')[0] ?? '')
      for (const key of keysOf(question.pick ? question.pick(answer) : answer))
        versionsOf.set(key, [...(versionsOf.get(key) ?? []), version])
    }
    const keys = [...versionsOf].sort(([one], [other]) => (one < other ? -1 : 1))
    shapes[question.name] = Object.fromEntries(keys.map(([key, versions]) => [key, ranges(versions)]))
  }
  return shapes
}

/** Maps whose keys are the user's or the machine's, not the API's. */
const FREE = new Set(
  'Labels Options Ports PortBindings ExposedPorts Volumes Sysctls Attributes Data Details DriverOpts'.split(' '),
)
/** Maps by name: the first value stands for all. */
const NAMED = new Set(['Networks', 'Containers', 'IndexConfigs', 'Runtimes'])

/** Every path of keys; of an array all items together. */
function keysOf(value: unknown, path = ''): readonly string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((item) => keysOf(item, `${path}[]`)))]
  if (typeof value !== 'object' || value === null) return []
  const name = path.slice(path.lastIndexOf('.') + 1)
  if (FREE.has(name)) return []
  if (NAMED.has(name)) return keysOf(Object.values(value)[0], `${path}{}`)
  return Object.entries(value).flatMap(([key, member]) => {
    const own = path === '' ? key : `${path}.${key}`
    return [own, ...keysOf(member, own)]
  })
}

function ranges(versions: readonly string[]): string {
  const numbers = versions.map((version) => VERSIONS.indexOf(version))
  const starts = numbers.filter((number) => !numbers.includes(number - 1))
  return starts
    .map((start) => {
      let end = start
      while (numbers.includes(end + 1)) end += 1
      return start === end ? VERSIONS[start] : `${VERSIONS[start]}-${VERSIONS[end]}`
    })
    .join(' ')
}
