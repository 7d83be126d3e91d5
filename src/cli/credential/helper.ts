import { invalid } from '#base'
import type { Context } from '#cli/kit'
import type { Account } from './account.ts'
import { isFields } from './config-file.ts'

/** Stands for a user's name where the secret is an identity token. */
const TOKEN_USER = '<token>'
const NOT_FOUND = 'credentials not found in native keychain'

/** The program `docker-credential-NAME`; errors are in the words of docker's client. */
export interface Helper {
  get(server: string): Promise<Account | undefined>
  store(server: string, account: Account): Promise<void>
  erase(server: string): Promise<void>
  /** The servers that it knows. */
  list(): Promise<readonly string[]>
}

/** What goes to and comes from it is the protocol of docker-credential-helpers: a word, standard input, standard output. */
export function createHelper(name: string, { runProgram }: Pick<Context, 'runProgram'>): Helper {
  const program = `docker-credential-${name}`
  const call = async (word: string, input: string, what: string): Promise<string> => {
    const { status, stdout } = await runProgram(program, [word], input)
    if (status === 0) return stdout
    const why =
      status === undefined ? `exec: "${program}": executable file not found in $PATH` : `exit status ${status}`
    throw invalid(`error ${what} - err: ${why}, out: \`${status === undefined ? '' : stdout.trim()}\``)
  }
  return {
    async get(server) {
      const { status, stdout } = await runProgram(program, ['get'], server)
      if (status !== 0 && status !== undefined && stdout.trim() === NOT_FOUND) return undefined
      const text = status === 0 ? stdout : await call('get', server, 'getting credentials')
      return accountOf(program, parseAnswer(program, text))
    },
    async store(server, { username = '', password = '', identityToken }) {
      const [user, secret] = identityToken === undefined ? [username, password] : [TOKEN_USER, identityToken]
      const input = `${JSON.stringify({ ServerURL: server, Username: user, Secret: secret })}\n`
      await call('store', input, 'storing credentials')
    },
    async erase(server) {
      await call('erase', server, 'erasing credentials')
    },
    async list() {
      return Object.keys(parseAnswer(program, await call('list', '', 'listing credentials')))
    },
  }
}

function accountOf(program: string, { Username, Secret }: Readonly<Record<string, unknown>>): Account {
  if (typeof Username !== 'string' || typeof Secret !== 'string') throw unreadable(program)
  return Username === TOKEN_USER ? { identityToken: Secret } : { username: Username, password: Secret }
}

function parseAnswer(program: string, text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (isFields(value)) return value
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw unreadable(program)
}

/** The answer is not repeated: it may hold the secret. */
function unreadable(program: string): Error {
  return invalid(`error getting credentials - err: ${program} answered with something else than an account`)
}
