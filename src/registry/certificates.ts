import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf, invalid } from '#base'

/** What /etc/docker/certs.d/<host>/ holds: authorities (*.crt) and a client's certificate (*.cert with *.key). */
export interface Certificates {
  readonly ca: readonly string[]
  readonly client?: { readonly certificate: string; readonly key: string }
}

/** Reads the first of the folders that has one for the host. Throws `invalid` for a certificate without its key. */
export function readCertificates(folders: readonly string[], host: string): Certificates {
  for (const folder of folders) {
    const own = join(folder, host)
    const names = list(own)
    if (names.length > 0) return read(own, names)
  }
  return { ca: [] }
}

function read(folder: string, names: readonly string[]): Certificates {
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8')
  const ca = names.filter((name) => name.endsWith('.crt')).map(text)
  const certificate = names.find((name) => name.endsWith('.cert'))
  const key = certificate?.replace(/\.cert$/, '.key')
  if (key !== undefined && !names.includes(key)) {
    throw invalid(`missing key ${key} for client certificate ${certificate} in ${folder}`)
  }
  return {
    ca,
    ...(certificate !== undefined &&
      key !== undefined && { client: { certificate: text(certificate), key: text(key) } }),
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return []
    throw error
  }
}
