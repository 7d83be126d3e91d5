import { EngineError, unavailable, unsupported } from '#base'
import type { Route } from '#api/exchange'

/** In Docker's words: clients take them for «this host is in no swarm». */
const NO_MANAGER =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.'

/** What only a swarm manager answers, and plugins, of which there are none. */
export function swarmRoutes(): readonly Route[] {
  return [
    {
      method: 'POST',
      pattern: '/swarm/leave',
      handle: () => {
        throw unavailable('This node is not part of a swarm')
      },
    },
    ...['/swarm', '/nodes', '/services', '/tasks', '/secrets', '/configs'].flatMap((path) => noManager(path)),
    { method: 'GET', pattern: '/plugins', handle: ({ reply }) => reply(200, []) },
    ...(['GET', 'POST', 'DELETE'] as const).map((method): Route => ({
      method,
      pattern: '/plugins/{rest...}',
      handle: ({ param }) => {
        const [, name] = /^(.+)\/json$/.exec(param('rest')) ?? []
        if (method === 'GET' && name !== undefined) throw new EngineError('not-found', `plugin "${name}" not found`)
        throw unsupported('docker plugin: not carried out by mica')
      },
    })),
  ]
}

function noManager(path: string): readonly Route[] {
  const handle = (): never => {
    throw unavailable(NO_MANAGER)
  }
  return (['GET', 'POST', 'DELETE'] as const).flatMap((method): readonly Route[] => [
    { method, pattern: path, handle },
    { method, pattern: `${path}/{rest...}`, handle },
  ])
}
