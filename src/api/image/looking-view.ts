import type { ImageComparison, ImageOrigins, PathFacts, PathOrigin, TreeDifference } from '#engine'
import type {
  DifferenceTotalJson,
  ImageDiffHeadJson,
  ImageDiffLineJson,
  ImageFilesLineJson,
  PathDifferenceJson,
  PathFactsJson,
  PathOriginJson,
} from '#wire'

const KINDS = { changed: 0, added: 1, removed: 2 } as const

/** The lines of GET /x/images/{name}/diff. */
export async function* diffLines(comparison: ImageComparison): AsyncIterable<ImageDiffLineJson> {
  yield headOf(comparison)
  const totals = { added: emptyTotal(), changed: emptyTotal(), removed: emptyTotal() }
  for await (const difference of comparison.files) {
    add(totals[difference.kind], difference)
    yield differenceJson(difference)
  }
  yield { Totals: { Added: totals.added, Changed: totals.changed, Removed: totals.removed } }
}

function headOf({ before, after, sharedLayers, config }: ImageComparison): ImageDiffHeadJson {
  return {
    Before: { Id: before.id, Layers: before.layers },
    After: { Id: after.id, Layers: after.layers },
    SharedLayers: sharedLayers,
    Config: config.map((difference) => ({
      Field: difference.field,
      Before: difference.before ?? null,
      After: difference.after ?? null,
    })),
  }
}

type Total = { -readonly [K in keyof DifferenceTotalJson]: number }

const emptyTotal = (): Total => ({ Files: 0, Folders: 0, Bytes: 0 })

function add(total: Total, { before, after }: TreeDifference): void {
  if ((after ?? before)?.type === 'directory') total.Folders += 1
  else total.Files += 1
  total.Bytes += (after?.size ?? 0) - (before?.size ?? 0)
}

function differenceJson({ path, kind, facets, before, after }: TreeDifference): PathDifferenceJson {
  return {
    Path: path,
    Kind: KINDS[kind],
    ...(facets.length > 0 && { What: facets }),
    ...(before && { Before: factsJson(before) }),
    ...(after && { After: factsJson(after) }),
  }
}

function factsJson({ type, size, mode, uid, gid, link }: PathFacts): PathFactsJson {
  return { Type: type, Size: size, Mode: mode, Uid: uid, Gid: gid, ...(link !== undefined && { Link: link }) }
}

/** The lines of GET /x/images/{name}/files. */
export async function* originLines({ image, layers, paths }: ImageOrigins): AsyncIterable<ImageFilesLineJson> {
  yield {
    Image: image,
    Layers: layers.map(({ diffId, instruction }) => ({ DiffId: diffId, Instruction: instruction })),
  }
  const totals = { Files: 0, Bytes: 0, HiddenFiles: 0, HiddenBytes: 0 }
  for await (const origin of paths) {
    if (origin.layer !== undefined && origin.type !== 'directory') totals.Files += 1
    totals.Bytes += origin.size ?? 0
    totals.HiddenFiles += origin.hidden.filter(({ type }) => type !== 'directory').length
    totals.HiddenBytes += origin.hidden.reduce((sum, { size }) => sum + size, 0)
    yield originJson(origin)
  }
  const all = totals.Bytes + totals.HiddenBytes
  yield { Totals: { ...totals, Efficiency: all === 0 ? 1 : totals.Bytes / all } }
}

function originJson({ path, layer, type, size, hidden }: PathOrigin): PathOriginJson {
  return {
    Path: path,
    ...(layer !== undefined && { Layer: layer }),
    ...(type !== undefined && { Type: type }),
    ...(size !== undefined && { Size: size }),
    Hidden: hidden.map((entry) => ({ Layer: entry.layer, By: entry.by, Type: entry.type, Size: entry.size })),
  }
}
