/**
 * tree: folders of files below a root that is not trusted: paths looked up as a process sees them whose root it is, entries
 * written, replaced and removed there, archives unpacked. It promises that nothing outside the root is read or
 * touched, whatever links and names are there and whoever swaps them meanwhile. All of it is synchronous, for jobs in
 * workers. What is to be copied, and the whiteouts of layers, belong to others.
 */
export { ConfinedRoot, type Owner } from './confined-root.ts'
export { HandedWriter, type Words, writeHanded } from './handed-writer.ts'
export { type FileStand, type UnpackOptions, unpackTar } from './unpack.ts'
export { type Attributes, type EntryWriter, type OpenFile, TreeWriter, type Xattr } from './write-tree.ts'
