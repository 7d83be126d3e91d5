import { keyOf, type Account } from './account.ts'
import { helperWarning, openAccounts, type CallContext } from './accounts.ts'

type Headers = Readonly<Record<string, string>>

/** For a call about a name in this registry; nobody's where a helper fails, which is said on stderr. */
export async function registryHeaders(context: CallContext, domain: string): Promise<Headers> {
  const accounts = await openAccounts(context)
  const key = keyOf(domain)
  const account = await accounts.find(key).catch((error: unknown) => {
    context.io.stderr.write(helperWarning(error))
    return undefined
  })
  return { 'X-Registry-Auth': encode(account ? authOf(key, account) : {}) }
}

/** For a build, which may need any of them; none where there are no accounts. */
export async function buildHeaders(context: CallContext): Promise<Headers> {
  const accounts = await openAccounts(context)
  let warned = false
  const all = await accounts.all((error) => {
    if (!warned) context.io.stderr.write(helperWarning(error))
    warned = true
  })
  if (all.size === 0) return {}
  const auths = Object.fromEntries([...all].map(([key, account]) => [key, authOf(key, account)]))
  return { 'X-Registry-Config': encode(auths) }
}

/** Credentials in the words of the API. */
export function authOf(server: string, { username, password, identityToken, registryToken }: Account): object {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(identityToken !== undefined && { identitytoken: identityToken }),
    ...(registryToken !== undefined && { registrytoken: registryToken }),
    serveraddress: server,
  }
}

function encode(value: object): string {
  const text = Buffer.from(JSON.stringify(value)).toString('base64url')
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=')
}
