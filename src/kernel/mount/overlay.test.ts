import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { parseMountOptions } from './mount-options.ts'
import { attachMount, unmountSync } from './mount.ts'
import { attachClassic } from './overlay.ts'

const skip = process.geteuid?.() === 0 ? false : 'mounting needs root'

test('attachClassic() mounts 128 layers with one page of options', { skip }, (t) => {
  const base = mkdtempSync(join(tmpdir(), 'mica-classic-'))
  attachMount({ type: 'tmpfs', source: 'tmpfs', options: [] }, base)
  t.after(() => {
    unmountSync(base, { detach: true })
    rmSync(base, { recursive: true })
  })
  const lowers = Array.from({ length: 128 }, (_, index) => join(base, `layer,with:odd\\characters-${index}`))
  for (const [index, lower] of lowers.entries()) {
    mkdirSync(lower)
    writeFileSync(join(lower, `from-${index}`), '')
    writeFileSync(join(lower, 'shared'), String(index))
  }
  for (const name of ['upper', 'work', 'root']) mkdirSync(join(base, name))
  const folders = [`upperdir=${join(base, 'upper')}`, `workdir=${join(base, 'work')}`, 'index=off']
  const options = [...lowers.map((lower) => `lowerdir+=${lower}`), ...folders]
  attachClassic({ type: 'overlay', source: 'overlay', options }, join(base, 'root'))
  assert.equal(readdirSync(join(base, 'root')).length, 129)
  assert.equal(readFileSync(join(base, 'root', 'shared'), 'utf8'), '0')
  unmountSync(join(base, 'root'))
})

test('parseMountOptions() sorts options by whom they are for', () => {
  const cases = [
    [['ro', 'nosuid', 'size=1m'], { flags: 3, set: 3, clear: 0, data: ['size=1m'] }],
    [['ro', 'rw'], { flags: 0, set: 0, clear: 1, data: [] }],
    [['noatime', 'strictatime'], { set: 0x20, clear: 0x70 }],
    [['rbind', 'rslave'], { recursive: true, propagation: 1 << 19, propagationRecursive: true }],
    [['bind', 'private'], { recursive: false, propagation: 1 << 18, propagationRecursive: false }],
    [['rro'], { set: 1, attributesRecursive: true }],
    [['constructor', 'rprivatex'], { data: ['constructor', 'rprivatex'] }],
  ] as const
  for (const [options, expected] of cases) assert.partialDeepStrictEqual(parseMountOptions(options), expected)
})
