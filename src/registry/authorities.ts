import { readFile } from 'node:fs/promises'
import { errnoOf } from '#base'

/** Where the distributions keep the authorities that the machine's owner believes, in one file. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** The machine's authorities as PEM; undefined where it has none: those that come with Node hold then. */
export async function systemAuthorities(files: readonly string[] = BUNDLES): Promise<string | undefined> {
  for (const file of files) {
    try {
      const text = await readFile(file, 'utf8')
      if (text.includes('-----BEGIN CERTIFICATE-----')) return text
    } catch (error) {
      if (!['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR'].includes(errnoOf(error) ?? '')) throw error
    }
  }
  return undefined
}
