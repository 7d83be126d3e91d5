import { createContext } from './context.ts'
import { importRoot } from './import.ts'
import { loadImages } from './load.ts'
import { pullAllTags, pullImage } from './pull.ts'
import { pushAllTags, pushImage } from './push.ts'
import { manifestFor } from './offer.ts'
import { refetch } from './refetch.ts'
import { saveImages } from './save.ts'
import type { Transfer, TransferParts } from './types.ts'

export function createTransfer(parts: TransferParts): Transfer {
  const context = createContext(parts)
  return {
    pull: (name, options) => pullImage(context, name, options),
    pullAll: (repository, options) => pullAllTags(context, repository, options),
    push: (name, options) => pushImage(context, name, options),
    pushAll: (repository, options) => pushAllTags(context, repository, options),
    manifestFor: (image, lease, signal) => manifestFor(context, image, { lease, signal }),
    save: (names, options) => saveImages(context, names, options),
    load: (bytes, options) => loadImages(context, bytes, options),
    refetch: (blob, options) => refetch(context, blob, options),
    importRoot: (bytes, options) => importRoot(context, bytes, options),
  }
}
