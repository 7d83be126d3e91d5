import { size } from '#cli/kit'
import type {
  DifferenceTotalJson,
  ImageDiffHeadJson,
  ImageDiffTotalsJson,
  PathDifferenceJson,
  PathFactsJson,
} from '#wire'

/** By the numbers of the API's kinds. */
export const LETTERS = ['C', 'A', 'D'] as const

const SIZE_WIDTH = 9

/** «C    +100B  /etc/passwd  (content, mode 0644 → 0600)»: the letter, by how many bytes it grew, the path, in what it differs. */
export function differenceText(line: PathDifferenceJson): string {
  const { Kind, Path, Before, After, What = [] } = line
  const there = After ?? Before
  const slash = there?.Type === 'directory' && Path !== '/' ? '/' : ''
  const link = Kind === 0 || there?.Link === undefined ? '' : ` -> ${there.Link}`
  const what = What.map((facet) => facetText(facet, Before, After)).join(', ')
  const tail = what === '' ? '' : `  (${what})`
  return `${LETTERS[Kind]} ${grownText(line).padStart(SIZE_WIDTH)}  ${printable(`${Path}${slash}${link}${tail}`)}\n`
}

/** Of files; nothing where one changed but kept its size. */
function grownText({ Kind, Before, After }: PathDifferenceJson): string {
  if (Before?.Type !== 'file' && After?.Type !== 'file') return ''
  const grown = (After?.Size ?? 0) - (Before?.Size ?? 0)
  return Kind === 0 && grown === 0 ? '' : signed(grown)
}

type Facet = NonNullable<PathDifferenceJson['What']>[number]

function facetText(facet: Facet, before: PathFactsJson | undefined, after: PathFactsJson | undefined): string {
  if (facet === 'type') return `${before?.Type} → ${after?.Type}`
  if (facet === 'mode') return `mode ${octal(before)} → ${octal(after)}`
  if (facet === 'owner') return `owner ${before?.Uid}:${before?.Gid} → ${after?.Uid}:${after?.Gid}`
  if (facet === 'content' && after?.Link !== undefined) return `${before?.Link} → ${after.Link}`
  return facet
}

function octal(facts: PathFactsJson | undefined): string {
  return (facts?.Mode ?? 0).toString(8).padStart(4, '0')
}

/** Names may hold anything, a terminal must not obey it. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are the characters that a terminal obeys
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (char) => JSON.stringify(char).slice(1, -1))
}

function signed(bytes: number): string {
  return `${bytes < 0 ? '-' : '+'}${size(Math.abs(bytes))}`
}

export function configText({ Config }: ImageDiffHeadJson): string {
  return Config.map(({ Field, Before, After }) => `config ${Field}: ${printable(changeText(Before, After))}\n`).join('')
}

/** Of lists and maps only what came and went, unless only the order changed. */
function changeText(before: unknown, after: unknown): string {
  const [was, is] = [partsOf(before), partsOf(after)]
  if (was && is) {
    const gone = was.filter((part) => !is.includes(part)).map((part) => `-${part}`)
    const come = is.filter((part) => !was.includes(part)).map((part) => `+${part}`)
    if (gone.length + come.length > 0) return [...gone, ...come].join(' ')
  }
  return `${before === null ? 'none' : JSON.stringify(before)} → ${after === null ? 'none' : JSON.stringify(after)}`
}

/** Of a map, the texts of its entries; of anything else nothing: the order of a command's words matters. */
function partsOf(value: unknown): readonly string[] | undefined {
  if (value === null) return []
  if (Array.isArray(value))
    return value.every((entry) => typeof entry === 'string' && /^\w+=/.test(entry)) ? value : undefined
  if (typeof value !== 'object') return undefined
  return Object.entries(value).map(([key, entry]) =>
    typeof entry === 'string' ? `${key}=${entry}` : isEmpty(entry) ? key : `${key}=${JSON.stringify(entry)}`,
  )
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0
}

export function totalsText(
  head: ImageDiffHeadJson,
  { Totals: { Added, Changed, Removed } }: ImageDiffTotalsJson,
): string {
  const parts = [totalText(Added, 'added'), totalText(Changed, 'changed'), totalText(Removed, 'removed')]
  const bytes = Added.Bytes + Changed.Bytes + Removed.Bytes
  const shared = `${head.SharedLayers} of ${head.Before.Layers} and ${head.After.Layers} layers shared`
  const same = [Added, Changed, Removed].every(({ Files, Folders }) => Files + Folders === 0)
  return `${same ? 'no file differs' : `${parts.join(', ')}, ${signed(bytes)} in all`}; ${shared}\n`
}

function totalText({ Files, Folders, Bytes }: DifferenceTotalJson, word: string): string {
  const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`
  const folders = Folders > 0 ? ` and ${count(Folders, 'folder')}` : ''
  return `${count(Files, 'file')}${folders} ${word}${Bytes === 0 ? '' : ` (${signed(Bytes)})`}`
}
