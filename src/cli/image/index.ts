/**
 * cli/image: the commands about images, one file each: build with its context, pull and push, the lists of images,
 * history and layers, tag and rmi, save, load and import. A command turns flags into one call of the API and its answer
 * into docker's words. Which files of a context are sent is decided by the rules of `dockerfile`.
 */
export { build } from './build.ts'
export { diff, diffImages } from './diff.ts'
export { history } from './history.ts'
export { images } from './images.ts'
export { importImage } from './import.ts'
export { layers } from './layers.ts'
export { load } from './load.ts'
export { pull } from './pull.ts'
export { push } from './push.ts'
export { inspectManifest } from './manifest.ts'
export { remoteInspect, remoteTags } from './remote.ts'
export { rmi } from './rmi.ts'
export { save } from './save.ts'
export { search } from './search.ts'
export { tag } from './tag.ts'
