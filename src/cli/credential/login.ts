import { EngineError, invalid, messageOf } from '#base'
import { command, complaint, type Context, flag } from '#cli/kit'
import type { LoginJson } from '#wire'
import { HUB_KEY, hostOf, type Account } from './account.ts'
import { openAccounts, type Accounts } from './accounts.ts'
import { authOf } from './headers.ts'
import { createPrompt } from './prompt.ts'

/** Longest password that is taken from standard input. Bytes. */
const MAX_PASSWORD = 64 << 10

export const login = command({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry',
  flags: {
    password: flag.text('Password or Personal Access Token (PAT)', { short: 'p' }),
    'password-stdin': flag.switch('Take the Password or Personal Access Token (PAT) from stdin'),
    username: flag.text('Username', { short: 'u' }),
  },
  max: 1,
  async run(context, { flags, args: [server = ''], given }) {
    const wanted = { username: flags.username, password: flags.password }
    if (given.has('username') && flags.username === '') throw invalid('username is empty')
    if (given.has('password') && flags.password === '') throw invalid('password is empty')
    if (flags['password-stdin']) {
      if (flags.password !== undefined)
        throw invalid('conflicting options: cannot specify both --password and --password-stdin')
      if (flags.username === undefined) throw invalid('the --password-stdin option requires --username to be set')
      wanted.password = await readPassword(context)
    } else if (flags.password !== undefined) {
      context.io.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
    }
    const accounts = await openAccounts(context)
    if (context.env['DOCKER_AUTH_CONFIG']) context.io.stderr.write(ENVIRONMENT_WARNING)
    await logIn(context, { accounts, server: serverKey(server), ...wanted })
    context.io.stdout.write('Login Succeeded\n')
    return 0
  },
})

const ENVIRONMENT_WARNING =
  '\n Warn -> DOCKER_AUTH_CONFIG is set and takes precedence.\n         Unset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.\n         \n'

/** Under what name a server's account is kept. */
export function serverKey(server: string): string {
  const host = hostOf(server)
  return ['', 'docker.io', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? HUB_KEY : host
}

interface Attempt {
  readonly accounts: Accounts
  readonly server: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** With what is kept already where nothing is given; else, or where that fails, with what is given or asked for. */
async function logIn(context: Context, { accounts, server, username, password }: Attempt): Promise<void> {
  const isSilent = username === undefined && password === undefined
  const kept = isSilent ? await accounts.find(server).catch(() => undefined) : undefined
  if (kept && (await tryKept(context, { accounts, server, kept }))) return
  const account =
    username !== undefined && password
      ? { username, password }
      : await askFor(context, { username: username ?? kept?.username, isFixed: username !== undefined, password })
  await keep(context, { accounts, server, account, token: await check(context, server, account) })
}

interface Kept {
  readonly accounts: Accounts
  readonly server: string
  readonly kept: Account
}

async function tryKept(context: Context, { accounts, server, kept }: Kept): Promise<boolean> {
  const { stderr } = context.io
  const user = kept.username === undefined ? '' : ` [Username: ${kept.username}]`
  stderr.write(`Authenticating with existing credentials...${user}\n`)
  stderr.write("\n Info -> To login with a different account, run 'mica logout' followed by 'mica login'\n\n\n")
  try {
    const token = await check(context, server, kept)
    if (token !== undefined) await keep(context, { accounts, server, account: kept, token })
    return true
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    stderr.write(`Login did not succeed, error: ${complaint(error)}\n`)
    return false
  }
}

/** Asks the daemon; resolves to the identity token that stands for the password, where there is one. */
async function check({ client }: Context, server: string, account: Account): Promise<string | undefined> {
  const reply = await client.post<LoginJson>('/auth', { json: authOf(server, account) })
  return reply.IdentityToken || undefined
}

interface Keeping {
  readonly accounts: Accounts
  readonly server: string
  readonly account: Account
  readonly token: string | undefined
}

async function keep({ io }: Context, { accounts, server, account, token }: Keeping): Promise<void> {
  const { username = '', password = '' } = account
  try {
    await accounts.save(server, token === undefined ? { username, password } : { username, identityToken: token })
  } catch (error) {
    throw invalid(`Error saving credentials: ${messageOf(error)}`, { cause: error })
  }
  if (!accounts.isPlain(server)) return
  io.stderr.write(
    `\nWARNING! Your credentials are stored unencrypted in '${accounts.path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
  )
}

interface Wanted {
  readonly username: string | undefined
  /** The name was given, and is not asked for. */
  readonly isFixed: boolean
  readonly password: string | undefined
}

async function askFor({ io }: Context, { username, isFixed, password }: Wanted): Promise<Account> {
  if (!io.stdin.terminal) throw invalid('Error: Cannot perform an interactive login from a non TTY device')
  const prompt = createPrompt(io)
  const question = username === undefined ? 'Username: ' : `Username (${username}): `
  const name = isFixed ? username : (await prompt.line(question)).trim() || username
  if (!name) throw invalid('Error: Non-null Username Required')
  const secret = password ?? (await prompt.secret('Password: '))
  if (secret === '') throw invalid('Error: Password Required')
  return { username: name, password: secret }
}

/** All of standard input without the line feed at its end. */
async function readPassword({ io }: Context): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of io.stdin.bytes) {
    length += chunk.length
    if (length > MAX_PASSWORD) throw invalid(`the password on standard input has more than ${MAX_PASSWORD} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, '')
}
