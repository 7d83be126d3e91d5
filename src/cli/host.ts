const DEFAULT_HOST = 'unix:///run/mica/mica.sock'

export interface ChosenHost {
  readonly text: string
  /** The daemon may be started there: a unix socket of mica's own, not one that another engine was meant by, or a slip of the finger. */
  readonly startable: boolean
}

/** -H, else MICA_HOST, else DOCKER_HOST, else the default. */
export function chooseHost(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): ChosenHost {
  const own = env['MICA_HOST'] === '' ? undefined : env['MICA_HOST']
  const docker = env['DOCKER_HOST'] === '' ? undefined : env['DOCKER_HOST']
  const text = flag ?? own ?? docker ?? DEFAULT_HOST
  const startable = text === DEFAULT_HOST || (text === own && text.startsWith('unix://'))
  return { text, startable }
}
