import type { ContainerService } from '#container'
import type { Images } from '#store/image'
import type { OpenSnapshots, SnapshotState } from '#store/snapshot'
import type { RemovalScene } from './remove-image.ts'

export interface SceneParts {
  readonly images: Images
  readonly containers: ContainerService
  readonly snapshots: Pick<OpenSnapshots, 'list'>
}

/** Looks at the store as it is now. */
export async function openScene({ images, containers, snapshots }: SceneParts): Promise<RemovalScene> {
  const [all, trees, users] = await Promise.all([images.list(), snapshots.list(), containers.list()])
  const byId = new Map<string, SnapshotState>(trees.map((tree) => [tree.id, tree]))
  const byName = new Map<string, SnapshotState>(trees.flatMap((tree) => [[tree.chain ?? tree.key ?? tree.id, tree]]))
  const below = (name: string | undefined): readonly string[] => {
    const chains: string[] = []
    for (let tree = byName.get(name ?? ''); tree; tree = byId.get(tree.parent ?? ''))
      if (tree.chain !== undefined) chains.push(tree.chain)
    return chains
  }
  return { images, all, containers: users, below, chainsInUse: users.flatMap(({ id }) => below(id)) }
}
