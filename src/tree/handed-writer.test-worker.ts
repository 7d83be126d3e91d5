import { type JobContext, type Ring, serveJobs } from '#kernel'
import { ConfinedRoot } from './confined-root.ts'
import { type Words, writeHanded } from './handed-writer.ts'
import { TreeWriter } from './write-tree.ts'

serveJobs({
  'test.write': ({ ring, folder }: { readonly ring: Ring; readonly folder: string }, context: JobContext) => {
    using root = new ConfinedRoot(folder)
    const others: Words[] = []
    writeHanded(ring, new TreeWriter(root), { stopper: context, other: (words) => others.push(words) })
    return others
  },
})
