import { isFields } from './config-file.ts'

/** What a user has at one registry. */
export interface Account {
  readonly username?: string
  readonly password?: string
  readonly identityToken?: string
  readonly registryToken?: string
}

/** docker.io's accounts are kept under the address of its old index. */
export const HUB_KEY = 'https://index.docker.io/v1/'

/** Under what name the accounts of a registry are kept. `domain` is that of a reference. */
export function keyOf(domain: string): string {
  return domain === 'docker.io' ? HUB_KEY : domain
}

/** «host:port» of what a server may be called. */
export function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/s, '')
}

/** An entry of the file; undefined where it says nothing. */
export function accountOfEntry(entry: unknown): Account | undefined {
  if (!isFields(entry)) return undefined
  const text = (name: string): string => {
    const value = entry[name]
    return typeof value === 'string' ? value : ''
  }
  const decoded = Buffer.from(text('auth'), 'base64').toString().replace(/\0+$/, '')
  const at = decoded.indexOf(':')
  const username = at > 0 ? decoded.slice(0, at) : text('username')
  const password = at > 0 ? decoded.slice(at + 1) : text('password')
  const account = {
    ...(username !== '' && { username }),
    ...(password !== '' && { password }),
    ...(text('identitytoken') !== '' && { identityToken: text('identitytoken') }),
    ...(text('registrytoken') !== '' && { registryToken: text('registrytoken') }),
  }
  return Object.keys(account).length === 0 ? undefined : account
}

/** The entry that docker would write. */
export function entryOfAccount({ username = '', password = '', identityToken }: Account): object {
  return {
    auth: Buffer.from(`${username}:${identityToken === undefined ? password : ''}`).toString('base64'),
    ...(identityToken !== undefined && { identitytoken: identityToken }),
  }
}
