import { TarReader, type TarEntry } from '#archive'
import { EngineError } from '#base'
import { layerJobs } from '#store/layer'
import { snapshotJobs } from '#store/snapshot'
import { createDice, makeLayer, type MadeLayer } from '#test/layer-maker'
import { temporary } from '#test/temporary'
import { treeFacts } from '#test/tree-facts'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'

/** What a run of `checkLayers` has seen. */
export interface LayerTally {
  readonly applied: number
  readonly refused: number
  readonly listed: number
}

const context = { cancelled: () => false, report: () => undefined }
/** What a layer by itself can bring about; anything else would be a fault of the engine. */
const EXPECTED_KINDS: readonly string[] = ['corrupt', 'invalid']

/**
 * Makes `count` layers from `seed` on and holds each against what a layer promises: only the project's own errors come out,
 * nothing beside the root is touched, apply after diff gives the same tree and the same bytes, and GNU tar lists
 * a well-formed one in the same way.
 */
export function checkLayers(count: number, seed: number): LayerTally {
  using folder = temporary()
  const canary = makeCanary(folder.join('canary'))
  const tally = { applied: 0, refused: 0, listed: 0 }
  for (let round = 0; round < count; round += 1) {
    const dice = createDice(seed + round)
    const base = dice.chance(0.5) ? makeLayer(dice, { gentle: true }) : undefined
    const layer = makeLayer(dice)
    try {
      const work = folder.join('work')
      mkdirSync(work)
      const applied = checkLayer(work, base, layer)
      tally[applied ? 'applied' : 'refused'] += 1
      assert.deepEqual(treeFacts(canary.path), canary.facts, 'something beside the root was touched')
      if (layer.wellFormed && checkListing(folder.join('layer.tar'), layer.tar)) tally.listed += 1
      snapshotJobs['tree.remove'](work, context)
    } catch (error) {
      writeFileSync(`/var/tmp/mica-layer-${seed + round}.tar`, layer.tar)
      throw new Error(`layer of seed ${seed + round} (kept as /var/tmp/mica-layer-${seed + round}.tar)`, {
        cause: error,
      })
    }
  }
  return tally
}

function makeCanary(path: string): { readonly path: string; readonly facts: readonly string[] } {
  mkdirSync(`${path}/inner`, { recursive: true })
  writeFileSync(`${path}/secret`, 'nobody may touch this')
  writeFileSync(`${path}/inner/new`, 'nor this')
  return { path, facts: treeFacts(path) }
}

/** False where the layer was refused. */
function checkLayer(work: string, base: MadeLayer | undefined, layer: MadeLayer): boolean {
  mkdirSync(`${work}/base`)
  const lowers = base && apply(base.tar, `${work}/base`, []) ? [`${work}/base`] : []
  const before = treeFacts(`${work}/base`)
  mkdirSync(`${work}/upper`)
  const applied = apply(layer.tar, `${work}/upper`, lowers)
  checkPlacing(work, layer.tar, { lowers, applied })
  assert.deepEqual(treeFacts(`${work}/base`), before, 'the layer below was touched')
  if (!applied || isDeep(`${work}/upper`)) return false
  checkRoundTrip(work, lowers)
  return true
}

/** Folders that were nested through links; only their removal has to work. */
function isDeep(path: string): boolean {
  try {
    treeFacts(path)
    return false
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENAMETOOLONG') return true
    throw error
  }
}

function apply(tar: Buffer, upper: string, lowers: readonly string[]): boolean {
  const path = `${upper}.tar`
  writeFileSync(path, tar)
  try {
    layerJobs['layer.apply']({ tar: { path }, upper, lowers, diffId: digestOf(tar) }, context)
    return true
  } catch (error) {
    assert.ok(error instanceof EngineError, `not an EngineError: ${String(error)}`)
    assert.ok(EXPECTED_KINDS.includes(error.kind), `kind ${error.kind}: ${error.message}`)
    return false
  }
}

function checkRoundTrip(work: string, lowers: readonly string[]): void {
  const [below] = lowers
  const tree = { upper: `${work}/upper`, below }
  const facts = layerJobs['layer.diff'](tree, context)
  const packed = `${work}/packed.tar`
  layerJobs['layer.pack']({ ...tree, to: { path: packed }, diffId: facts.diffId }, context)
  mkdirSync(`${work}/again`)
  layerJobs['layer.apply']({ tar: { path: packed }, upper: `${work}/again`, lowers, diffId: facts.diffId }, context)
  assert.deepEqual(treeFacts(`${work}/again`), treeFacts(tree.upper), 'apply after diff gives another tree')
  assert.deepEqual(layerJobs['layer.diff']({ upper: `${work}/again`, below }, context), facts)
}

/** Unpacked by itself and placed afterwards it is the same tree, or is not said to fit. */
function checkPlacing(
  work: string,
  tar: Buffer,
  { lowers, applied }: { readonly lowers: readonly string[]; readonly applied: boolean },
): void {
  const upper = `${work}/apart`
  mkdirSync(upper)
  const outcome = placing(`${work}/upper.tar`, upper, { lowers, diffId: digestOf(tar) })
  if (outcome !== 'fits') return assert.ok(outcome === 'does not fit' || !applied, 'refused only by itself')
  assert.ok(applied, 'refused only on its lowers')
  if (isDeep(`${work}/upper`)) return
  const lines = (path: string): readonly string[] => treeFacts(path).map(withoutNow)
  assert.deepEqual(lines(upper), lines(`${work}/upper`), 'placing gives another tree')
}

/** Folders that no entry describes have the time at which they were made. */
function withoutNow(line: string): string {
  const earliest = (Date.now() - 600_000) * 1e6
  return line.replace(/ (\d{19}) /, (text, time: string) => (Number(time) > earliest ? ' now ' : text))
}

function placing(
  path: string,
  upper: string,
  { lowers, diffId }: { readonly lowers: readonly string[]; readonly diffId: string },
): 'fits' | 'does not fit' | 'refused' {
  try {
    const { ends } = layerJobs['layer.apply']({ tar: { path }, upper, diffId }, context)
    return layerJobs['layer.place']({ upper, lowers, ends }) ? 'fits' : 'does not fit'
  } catch (error) {
    assert.ok(error instanceof EngineError, `not an EngineError: ${String(error)}`)
    assert.ok(EXPECTED_KINDS.includes(error.kind), `kind ${error.kind}: ${error.message}`)
    return 'refused'
  }
}

function digestOf(tar: Buffer): string {
  return `sha256:${createHash('sha256').update(tar).digest('hex')}`
}

/** False where this reader refuses a layer that the format allows (a file too large to be true). */
function checkListing(path: string, tar: Buffer): boolean {
  const ours = listing(tar)
  if (!ours) return false
  writeFileSync(path, tar)
  const options = ['--numeric-owner', '--full-time', '--quoting-style=literal', '--warning=none']
  const theirs = execFileSync('tar', ['-Ptvf', path, ...options], {
    encoding: 'latin1',
    env: { ...process.env, TZ: 'UTC' },
  })
  const lines = theirs.split('\n').slice(0, -1)
  assert.deepEqual(
    lines.map((line) => line.replaceAll(/ +/g, ' ')),
    ours,
    'GNU tar lists other entries',
  )
  return true
}

function listing(tar: Buffer): readonly string[] | undefined {
  const lines: string[] = []
  const reader = new TarReader({
    entry: (entry) => lines.push(lineOf(entry)),
    body: () => undefined,
    end: () => undefined,
  })
  try {
    reader.push(tar)
    reader.finish()
    return lines
  } catch (error) {
    assert.ok(error instanceof EngineError && error.kind === 'corrupt')
    return undefined
  }
}

const LETTERS = {
  file: '-',
  hardlink: 'h',
  symlink: 'l',
  character: 'c',
  block: 'b',
  directory: 'd',
  fifo: 'p',
} as const

/** As `tar -tv --full-time --numeric-owner` writes it, runs of blanks made one. */
function lineOf(entry: TarEntry): string {
  const { kind, path, link, uid, gid, size, major, minor } = entry
  const isDevice = kind === 'character' || kind === 'block'
  const arrow = { hardlink: ` link to ${link}`, symlink: ` -> ${link}` }
  const tail = kind === 'hardlink' || kind === 'symlink' ? arrow[kind] : ''
  const what = isDevice ? `${major},${minor}` : String(size)
  return `${LETTERS[kind]}${modeText(entry.mode)} ${uid}/${gid} ${what} ${timeText(entry.mtime)} ${path}${tail}`
}

function modeText(mode: number): string {
  const bit = (mask: number, letter: string): string => ((mode & mask) === 0 ? '-' : letter)
  const special = (mask: number, execute: number, letter: string): string => {
    if ((mode & mask) === 0) return bit(execute, 'x')
    return (mode & execute) === 0 ? letter.toUpperCase() : letter
  }
  return [
    bit(0o400, 'r'),
    bit(0o200, 'w'),
    special(0o4000, 0o100, 's'),
    bit(0o040, 'r'),
    bit(0o020, 'w'),
    special(0o2000, 0o010, 's'),
    bit(0o004, 'r'),
    bit(0o002, 'w'),
    special(0o1000, 0o001, 't'),
  ].join('')
}

/** GNU tar writes times before 1970 as sign and magnitude: the fraction counts away from the second. */
function timeText(mtime: bigint): string {
  const nanoseconds = mtime % 1_000_000_000n
  const [day, time = ''] = new Date(Number(mtime / 1_000_000_000n) * 1000).toISOString().split('T')
  const digits = String(nanoseconds < 0n ? -nanoseconds : nanoseconds)
    .padStart(9, '0')
    .replace(/0+$/, '')
  return `${day} ${time.slice(0, 8)}${digits === '' ? '' : `.${digits}`}`
}
