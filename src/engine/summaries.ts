import type { ContainerService } from '#container'
import { chainIds } from '#oci'
import type { ChainId, ImageId } from '#oci'
import type { Image, Images } from '#store/image'
import type { Layers } from '#store/layer'
import type { Snapshots } from '#store/snapshot'
import type { ImageDetails, ImageSummary } from './types.ts'

interface SummaryParts {
  readonly images: Images
  readonly layers: Layers
  readonly containers: ContainerService
  readonly snapshots: Pick<Snapshots, 'find' | 'lowers'>
}

export interface Summaries {
  /** Newest record first. */
  list(): Promise<readonly ImageSummary[]>
  of(image: Image): Promise<ImageDetails>
}

/** What an image's own config says; it never changes. */
interface Told {
  readonly chains: readonly ChainId[]
  readonly created: number
}

export function createSummaries(parts: SummaryParts): Summaries {
  const known = new WeakMap<Image, Told>()
  const tell = (image: Image): Told => {
    const told = known.get(image) ?? { chains: chainIds(image.config.rootfs.diff_ids), created: createdOf(image) }
    known.set(image, told)
    return told
  }
  return {
    async list() {
      const opened = await parts.images.openAll()
      const survey = await takeSurvey(parts, opened.map(tell))
      return opened.map((image) => summaryFrom(image, tell(image), survey))
    },
    async of(image) {
      const { chains, created } = tell(image)
      const found = await Promise.all(chains.map((chain) => parts.layers.facts(chain)))
      const size = found.reduce((sum, layer) => sum + (layer?.content ?? 0), 0)
      return { record: image, image, created, size, folders: await foldersOf(parts, chains.at(-1)) }
    },
  }
}

async function foldersOf({ snapshots }: SummaryParts, top: ChainId | undefined): Promise<readonly string[]> {
  const sealed = top === undefined ? undefined : await snapshots.find(top)
  return sealed ? await snapshots.lowers(sealed.id) : []
}

/** Everything that a list of images needs, gathered once for all of them. */
interface Survey {
  readonly sizes: ReadonlyMap<ChainId, number>
  readonly owners: ReadonlyMap<ChainId, number>
  readonly users: ReadonlyMap<ImageId, number>
}

async function takeSurvey({ layers, containers }: SummaryParts, told: readonly Told[]): Promise<Survey> {
  const owners = new Map<ChainId, number>()
  for (const { chains } of told) for (const chain of chains) owners.set(chain, (owners.get(chain) ?? 0) + 1)
  const users = new Map<ImageId, number>()
  for (const { image } of await containers.list()) users.set(image, (users.get(image) ?? 0) + 1)
  return { sizes: await layers.sizes(), owners, users }
}

function summaryFrom(image: Image, { chains, created }: Told, { sizes, owners, users }: Survey): ImageSummary {
  let [size, sharedSize] = [0, 0]
  for (const chain of chains) {
    const bytes = sizes.get(chain) ?? 0
    size += bytes
    if ((owners.get(chain) ?? 0) > 1) sharedSize += bytes
  }
  return { record: image, image, created, size, sharedSize, containers: users.get(image.id) ?? 0 }
}

function createdOf({ config }: Image): number {
  const milliseconds = config.created === undefined ? Number.NaN : Date.parse(config.created)
  return Number.isNaN(milliseconds) ? 0 : milliseconds
}
