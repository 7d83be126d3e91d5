import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { HubFault } from './fault.ts'
import type { Secret, ServeOptions } from './types.ts'

const derive = promisify<string, Uint8Array, number, Buffer>(scrypt)
const HASH_LENGTH = 32
const REALM = 'Basic realm="mica registry", charset="UTF-8"'

/** What is kept of a password. */
export async function hashPassword(password: string): Promise<Secret> {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, HASH_LENGTH)
  return { salt: salt.toString('hex'), hash: hash.toString('hex') }
}

/** Throws `HubFault` UNAUTHORIZED unless the `Authorization` header is that of the user. */
export type CheckUser = (authorization: string | undefined) => Promise<void>

/** A header that was right once is believed by its hash: deriving the key takes tens of milliseconds. */
export function createUserCheck(user: ServeOptions['user']): CheckUser {
  if (!user) return async () => undefined
  const key = randomBytes(16)
  let known: Buffer | undefined
  return async (authorization) => {
    const mark = createHash('sha256')
      .update(key)
      .update(authorization ?? '')
      .digest()
    if (known && timingSafeEqual(known, mark)) return
    if (authorization === undefined || !(await isRight(user, authorization))) throw unauthorized()
    known = mark
  }
}

async function isRight(user: NonNullable<ServeOptions['user']>, authorization: string): Promise<boolean> {
  const [, encoded = ''] = /^basic ([A-Za-z0-9+/=_-]+)$/i.exec(authorization.trim()) ?? []
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  if (colon < 0) return false
  const found = await derive(text.slice(colon + 1), Buffer.from(user.secret.salt, 'hex'), HASH_LENGTH)
  const isPassword = timingSafeEqual(found, Buffer.from(user.secret.hash, 'hex'))
  return isPassword && text.slice(0, colon) === user.name
}

function unauthorized(): HubFault {
  return new HubFault('UNAUTHORIZED', 'authentication required', { headers: { 'www-authenticate': REALM } })
}
