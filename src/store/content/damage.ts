import { corrupt } from '#base'
import type { Digest } from '#oci'

/** A blob whose bytes are not to be used; `why` ends the sentence. */
export function damagedBlob(digest: Digest, why: string, cause?: unknown): Error {
  return corrupt(`cannot read blob ${digest}: ${why}: mica system check --repair heals it`, { cause })
}
