import { notFound } from '#base'
import {
  familiarReference,
  isDigest,
  parseImageId,
  parseNamed,
  withDefaultTag,
  type ImageId,
  type Reference,
} from '#oci'
import type { ImageRecords } from './records.ts'
import type { ImageRecord } from './types.ts'

const HEX = /^[0-9a-f]+$/

/** Docker's order: a whole id, then a name, then the prefix of an id; one that several ids begin with names none. */
export function resolveImage(records: ImageRecords, text: string): ImageRecord {
  const whole = wholeId(text)
  if (whole !== undefined) return records.find(whole) ?? missing(whole)
  const name = withDefaultTag(parseNamed(text))
  const id = idOfName(records, name) ?? idOfPrefix(records, text)
  return (id && records.find(id)) ?? missing(familiarReference(name))
}

function wholeId(text: string): ImageId | undefined {
  const spelled = text.includes(':') ? text : `sha256:${text}`
  return isDigest(spelled) ? parseImageId(spelled) : undefined
}

function idOfName(records: ImageRecords, name: Reference): ImageId | undefined {
  const { domain, path, digest } = name
  if (digest === undefined) return records.idOfName(name)
  const exact = records.idOfName({ domain, path, digest })
  if (exact !== undefined) return exact
  const owner = records.idOfManifest(digest)
  const names = (owner && records.find(owner)?.names) ?? []
  return names.some((known) => known.domain === domain && known.path === path) ? owner : undefined
}

function idOfPrefix(records: ImageRecords, text: string): ImageId | undefined {
  const hex = text.startsWith('sha256:') ? text.slice('sha256:'.length) : text
  if (!HEX.test(hex) || hex.length > 64) return undefined
  const [first, second] = records.idsWithPrefix(hex)
  return second === undefined ? first : undefined
}

function missing(name: string): never {
  throw notFound('image', name)
}
