/**
 * oci: the values of the image, distribution and platform specifications: digests, descriptors, manifests,
 * indexes, image configs, platforms, references, chain ids. Everything here is pure: text in, value out, or
 * an `invalid` error. Bytes are parsed once, at the border; the types make a mix-up a compile error.
 */
export * from './config.ts'
export * from './digest.ts'
export * from './document.ts'
export * from './manifest.ts'
export * from './media-type.ts'
export * from './platform.ts'
export * from './reference.ts'
export type * from './types.ts'
