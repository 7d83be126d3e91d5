import { mkdir, readFile, realpath } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ifExists, invalid, messageOf, writeFileAtomic } from '#base'
import type { Context } from '#cli/kit'

type Fields = Readonly<Record<string, unknown>>

/** docker's config.json, with all that others keep in it, in their order. */
export interface ConfigDocument {
  readonly auths?: Readonly<Record<string, unknown>> | null
  readonly credsStore?: string | null
  readonly credHelpers?: Readonly<Record<string, string>> | null
}

export interface ConfigFile {
  readonly path: string
  /** Where the file cannot be read: empty, and `complaint` says why. */
  readonly document: ConfigDocument
  readonly complaint?: string
}

/** Of the folder DOCKER_CONFIG, else of ~/.docker; a file that is not there is empty. */
export async function readConfigFile({ env }: Pick<Context, 'env'>): Promise<ConfigFile> {
  const folder = env['DOCKER_CONFIG'] || join(env['HOME'] || '/', '.docker')
  const path = join(folder, 'config.json')
  try {
    const text = (await ifExists(readFile(path, 'utf8'))) ?? '{}'
    return { path, document: parseDocument(text) }
  } catch (error) {
    return { path, document: {}, complaint: `WARNING: Error parsing config file (${path}): ${messageOf(error)}` }
  }
}

/** Throws `invalid` or a SyntaxError where the text is no such document. */
export function parseDocument(text: string): ConfigDocument {
  const value: unknown = JSON.parse(text)
  if (isDocument(value)) return value
  throw invalid('it is no configuration of docker')
}

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDocument(value: unknown): value is ConfigDocument {
  if (!isFields(value)) return false
  const { auths, credsStore, credHelpers } = value
  const areHelpers =
    isAbsent(credHelpers) ||
    (isFields(credHelpers) && Object.values(credHelpers).every((name) => typeof name === 'string'))
  return (isAbsent(auths) || isFields(auths)) && (isAbsent(credsStore) || typeof credsStore === 'string') && areHelpers
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

/** As docker writes it: tabs, one step, readable for its owner alone; a link stays a link. */
export async function writeConfigFile(path: string, document: ConfigDocument): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const target = (await ifExists(realpath(path))) ?? path
  await writeFileAtomic(target, JSON.stringify(document, undefined, '\t'), 0o600)
}
