import { invalid, messageOf } from '#base'
import type { Context } from '#cli/kit'
import { accountOfEntry, entryOfAccount, hostOf, type Account } from './account.ts'
import { parseDocument, readConfigFile, writeConfigFile, type ConfigDocument } from './config-file.ts'
import { createHelper, type Helper } from './helper.ts'

/** What of a command's context is needed here. */
export interface CallContext extends Pick<Context, 'env' | 'runProgram'> {
  readonly io: { readonly stderr: Pick<Context['io']['stderr'], 'write'> }
}

/** The accounts of the user, wherever they are kept. */
export interface Accounts {
  /** The file's path, which also stands in texts. */
  readonly path: string
  /** False where a helper keeps this server's account. */
  isPlain(server: string): boolean
  /** Throws `invalid` where a helper fails. */
  find(server: string): Promise<Account | undefined>
  /** Of all servers; `onFailure` gets what a helper failed with. */
  all(onFailure: (error: unknown) => void): Promise<ReadonlyMap<string, Account>>
  save(server: string, account: Account): Promise<void>
  remove(server: string): Promise<void>
}

/** Reads the file; where it cannot be read this is said on stderr, once. */
export async function openAccounts(context: CallContext): Promise<Accounts> {
  const { path, document, complaint } = await readConfigFile(context)
  if (complaint !== undefined) context.io.stderr.write(`${complaint}\n`)
  const given = accountsOf(givenDocument(context))
  const own = accountsOf(document)
  const helperFor = (server: string): Helper | undefined => {
    const name = document.credHelpers?.[server] || document.credsStore
    return name ? createHelper(name, context) : undefined
  }
  const change = async (auths: Readonly<Record<string, unknown>>): Promise<void> => {
    if (complaint !== undefined) throw invalid(`cannot change ${path}: it is no configuration of docker`)
    await writeConfigFile(path, { ...document, auths })
  }
  return {
    path,
    isPlain: (server) => helperFor(server) === undefined,
    find: async (server) => lookUp(given, server) ?? (await helperFor(server)?.get(server)) ?? lookUp(own, server),
    async all(onFailure) {
      const kept = await keptByHelpers(document, { context, onFailure })
      return new Map([...own, ...kept, ...given])
    },
    async save(server, account) {
      const helper = helperFor(server)
      await helper?.store(server, account)
      const entry = helper ? {} : entryOfAccount(account)
      await change({ ...document.auths, [server]: entry })
    },
    async remove(server) {
      const { [server]: entry, ...auths } = document.auths ?? {}
      await helperFor(server)?.erase(server)
      if (entry !== undefined) await change(auths)
    },
  }
}

/** The variable holds a document like the file, and comes before it. */
function givenDocument({ env, io }: CallContext): ConfigDocument {
  const text = env['DOCKER_AUTH_CONFIG']
  if (!text) return {}
  try {
    return parseDocument(text)
  } catch {
    io.stderr.write('WARNING: DOCKER_AUTH_CONFIG is not used: it is no configuration of docker\n')
    return {}
  }
}

function accountsOf(document: ConfigDocument): ReadonlyMap<string, Account> {
  const entries = Object.entries(document.auths ?? {}).flatMap(([server, entry]) => {
    const account = accountOfEntry(entry)
    return account ? [[server, account] as const] : []
  })
  return new Map(entries)
}

/** By its name, else by the host that a longer name of the file stands for. */
function lookUp(accounts: ReadonlyMap<string, Account>, server: string): Account | undefined {
  const exact = accounts.get(server)
  if (exact) return exact
  for (const [name, account] of accounts) if (hostOf(name) === hostOf(server)) return account
  return undefined
}

interface Asked {
  readonly context: CallContext
  readonly onFailure: (error: unknown) => void
}

async function keptByHelpers(
  document: ConfigDocument,
  { context, onFailure }: Asked,
): Promise<ReadonlyMap<string, Account>> {
  const found = new Map<string, Account>()
  const ask = async (helper: Helper, servers: () => Promise<readonly string[]>): Promise<void> => {
    try {
      for (const server of await servers()) {
        const account = await helper.get(server)
        if (account) found.set(server, account)
      }
    } catch (error) {
      onFailure(error)
    }
  }
  if (document.credsStore) {
    const helper = createHelper(document.credsStore, context)
    await ask(helper, () => helper.list())
  }
  for (const [server, name] of Object.entries(document.credHelpers ?? {})) {
    await ask(createHelper(name, context), () => Promise.resolve([server]))
  }
  return found
}

/** One line for what a helper failed with. */
export function helperWarning(error: unknown): string {
  return `WARNING: ${messageOf(error).replaceAll(/\s+/g, ' ')}; going on without credentials\n`
}
