import { abbreviate } from '#base'
import { formatRows, size } from '#cli/kit'
import type { ImageTreeRowJson } from '#wire'

const COLUMNS = { Image: 'IMAGE', ID: 'ID', Size: 'SIZE', Own: 'OWN SIZE', Used: 'CONTAINERS' }
const SHOWN = ['Image', 'ID', 'Size', 'Own', 'Used']

/** Images under the ones whose layers they stand on, as a table. */
export function treeText(images: readonly ImageTreeRowJson[], whole: boolean): string {
  const children = Map.groupBy(images, ({ Below }) => Below)
  const rows: Readonly<Record<keyof typeof COLUMNS, string>>[] = []
  const add = (image: ImageTreeRowJson, lead: string, inner: string): void => {
    rows.push({
      Image: `${lead}${image.RepoTags.length === 0 ? '<none>' : image.RepoTags.join(', ')}`,
      ID: whole ? image.Id : abbreviate(image.Id),
      Size: size(image.Size),
      Own: size(image.OwnSize),
      Used: image.Containers === 0 ? '' : String(image.Containers),
    })
    const below = children.get(image.Id) ?? []
    for (const [index, child] of below.entries()) {
      const last = index === below.length - 1
      add(child, `${inner}${last ? '└─ ' : '├─ '}`, `${inner}${last ? '   ' : '│  '}`)
    }
  }
  for (const root of children.get(null) ?? []) add(root, '', '')
  return formatRows(rows, { columns: COLUMNS, shown: SHOWN })
}
