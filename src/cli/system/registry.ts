import { resolve } from 'node:path'
import { collect, EngineError, invalid } from '#base'
import { command, complaint, type Context, flag, formatRows, size } from '#cli/kit'
import type { RegistriesJson, RegistryListenerJson, RegistryPruneJson, ServeRegistryJson } from '#wire'

const DEFAULT_ADDRESS = '127.0.0.1:5000'
const MAX_PASSWORD = 4096

export const serveRegistry = command({
  usage: '[OPTIONS]',
  summary: 'Serve a registry over the local images: push to it, pull from it; ends with Ctrl-C',
  flags: {
    detach: flag.switch('Serve in the background, also after a restart of the engine', { short: 'd' }),
    listen: flag.text(`Address to listen on (default "${DEFAULT_ADDRESS}")`, { value: 'address:port' }),
    'mirror-of': flag.text('Serve what another registry has, and keep what was asked for', { value: 'url' }),
    'password-stdin': flag.switch('Take the password of --user from stdin'),
    public: flag.switch('Allow an address that other machines can reach'),
    'read-only': flag.switch('Refuse pushes and deletions'),
    'tls-cert': flag.text('Path to a TLS certificate file', { value: 'file' }),
    'tls-key': flag.text('Path to its key file', { value: 'file' }),
    user: flag.text('Let only this user in', { short: 'u' }),
  },
  max: 0,
  async run(context, { flags }) {
    const tls = tlsOf(context, flags['tls-cert'], flags['tls-key'])
    const password = await passwordOf(context, flags.user, flags['password-stdin'])
    const json: ServeRegistryJson = {
      Listen: flags.listen ?? DEFAULT_ADDRESS,
      ReadOnly: flags['read-only'],
      Public: flags.public,
      Keep: flags.detach,
      ...(flags['mirror-of'] !== undefined && { MirrorOf: flags['mirror-of'] }),
      ...(flags.user !== undefined && { User: flags.user, Password: password }),
      ...tls,
    }
    return json.Keep === true ? await serveKept(context, json) : await serveHere(context, json)
  },
})

function tlsOf(
  { cwd }: Context,
  certificate: string | undefined,
  key: string | undefined,
): Pick<ServeRegistryJson, 'TlsCertificate' | 'TlsKey'> {
  if (certificate === undefined && key === undefined) return {}
  if (certificate === undefined || key === undefined) throw invalid('--tls-cert and --tls-key go together')
  return { TlsCertificate: resolve(cwd, certificate), TlsKey: resolve(cwd, key) }
}

/** Never from an argument: those are seen by everyone on the machine. */
async function passwordOf({ io }: Context, user: string | undefined, fromStdin: boolean): Promise<string> {
  if (user === undefined && !fromStdin) return ''
  if (user === undefined) throw invalid('--password-stdin needs --user')
  if (!fromStdin) throw invalid('--user needs --password-stdin')
  const password = (await collect(io.stdin.bytes, MAX_PASSWORD)).toString().replace(/\r?\n$/, '')
  if (password === '') throw invalid('the password on stdin is empty')
  return password
}

async function serveKept({ client, io }: Context, json: ServeRegistryJson): Promise<number> {
  const listener = await client.post<RegistryListenerJson>('/x/registries', { json })
  warn({ io }, json)
  io.stdout.write(`${listener.Address}\n`)
  return 0
}

/** The engine listens as long as this call lasts. */
async function serveHere({ client, io }: Context, json: ServeRegistryJson): Promise<number> {
  const leave = new AbortController()
  using _ = io.onSignals(['SIGINT', 'SIGTERM'], () => leave.abort())
  const lines = client.lines<RegistryListenerJson>('POST', '/x/registries', { json, signal: leave.signal })
  try {
    for await (const listener of lines) {
      warn({ io }, json)
      io.stdout.write(`serving a registry on ${listener.Address}${roleOf(listener)}; Ctrl-C ends it\n`)
    }
  } catch (error) {
    if (!leave.signal.aborted) throw error
  }
  return 0
}

function roleOf({ MirrorOf, ReadOnly }: RegistryListenerJson): string {
  if (MirrorOf !== '') return `, a cache of ${MirrorOf}`
  return ReadOnly ? ', read-only' : ''
}

function warn({ io }: Pick<Context, 'io'>, { Public, TlsCertificate, User }: ServeRegistryJson): void {
  if (Public !== true) return
  if (TlsCertificate === undefined)
    io.stderr.write('WARNING: without TLS everyone on the way can read and change what is transferred\n')
  if (User === undefined) io.stderr.write('WARNING: without --user everyone who reaches the address may use it\n')
}

const LISTENERS = { Address: 'ADDRESS', Serves: 'SERVES', Access: 'ACCESS', User: 'USER', Tls: 'TLS', Kept: 'KEPT' }
const REPOSITORIES = { Repository: 'REPOSITORY', Tags: 'TAGS', Manifests: 'MANIFESTS', Size: 'SIZE' }

export const listRegistries = command({
  usage: '[OPTIONS]',
  summary: 'List the registries that are served, and what was pushed to them or is kept of others',
  flags: { json: flag.switch('Print as JSON') },
  max: 0,
  async run({ client, io }, { flags }) {
    const view = await client.get<RegistriesJson>('/x/registries')
    if (flags.json) {
      io.stdout.write(`${JSON.stringify(view)}\n`)
      return 0
    }
    const listeners = view.Listeners.map((listener) => ({
      Address: listener.Address,
      Serves: listener.MirrorOf === '' ? 'local images' : listener.MirrorOf,
      Access: listener.ReadOnly ? 'read' : 'read, write',
      User: listener.User === '' ? 'everyone' : listener.User,
      Tls: listener.Tls ? 'yes' : 'no',
      Kept: listener.Keep ? 'yes' : 'no',
    }))
    io.stdout.write(formatRows(listeners, { columns: LISTENERS, shown: Object.keys(LISTENERS), format: undefined }))
    if (view.Repositories.length === 0) return 0
    const repositories = view.Repositories.map(({ Name, MirrorOf, Tags, Manifests, Size }) => ({
      Repository: MirrorOf === '' ? Name : `${Name} (of ${MirrorOf})`,
      Tags: String(Tags),
      Manifests: String(Manifests),
      Size: size(Size),
    }))
    const shown = Object.keys(REPOSITORIES)
    io.stdout.write(`\n${formatRows(repositories, { columns: REPOSITORIES, shown, format: undefined })}`)
    return 0
  },
})

export const stopRegistry = command({
  usage: 'ADDRESS [ADDRESS...]',
  summary: 'Stop serving; what was pushed stays',
  flags: {},
  min: 1,
  async run({ client, io }, { args }) {
    let exit = 0
    for (const address of args) {
      try {
        await client.delete(`/x/registries/${encodeURIComponent(address)}`)
        io.stdout.write(`${address}\n`)
      } catch (error) {
        if (!(error instanceof EngineError) || error.kind === 'unavailable') throw error
        io.stderr.write(`${complaint(error)}\n`)
        exit = 1
      }
    }
    return exit
  },
})

export const pruneRegistries = command({
  usage: '[OPTIONS]',
  summary: 'Remove pushed manifests that no tag leads to; with --mirrors all that is kept of other registries',
  flags: { mirrors: flag.switch('Remove what is kept of other registries too') },
  max: 0,
  async run({ client, io }, { flags }) {
    const query = { mirrors: flags.mirrors }
    const pruned = await client.post<RegistryPruneJson>('/x/registries/prune', { query })
    io.stdout.write(`Deleted manifests: ${pruned.ManifestsDeleted}\n`)
    io.stdout.write(`Total reclaimed space: ${size(pruned.SpaceReclaimed)}\n`)
    return 0
  },
})
