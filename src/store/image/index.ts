/**
 * store/image: names to images, and an image's record. An image is its config: its id is the config's digest; the
 * record adds when it came, its parent, its names, and every manifest known of it. It promises that a name points
 * to one image at a time, that records are only for images whose config is in the content store, and tells the
 * collector what an image keeps alive. Unpacked layers belong to `store/snapshot`, moving images to `transfer`.
 */
export { createImageCollector } from './collector.ts'
export { createImages } from './images.ts'
export type * from './types.ts'
