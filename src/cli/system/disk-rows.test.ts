import type { DiskUsageJson } from '#wire'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownerListing, summaryOf } from './disk-rows.ts'

const image = (size: number, shared: number, containers: number) => ({
  Containers: containers,
  Created: 0,
  Id: `sha256:${'a'.repeat(64)}`,
  Labels: null,
  ParentId: '',
  RepoDigests: [],
  RepoTags: [],
  SharedSize: shared,
  Size: size,
})

const EMPTY: DiskUsageJson = { LayersSize: 0, Images: [], Containers: [], Volumes: [], BuildCache: [] }

test('summaryOf() counts what nobody uses as reclaimable', () => {
  const [images] = summaryOf({ ...EMPTY, LayersSize: 2000, Images: [image(1500, 500, 1), image(1000, 500, 0)] }).rows
  assert.deepEqual(images, {
    Type: 'Images',
    TotalCount: '2',
    Active: '1',
    Size: '2kB',
    Reclaimable: '1kB (50%)',
  })
})

test('summaryOf() gives no percentage of nothing', () => {
  assert.deepEqual(
    summaryOf(EMPTY).rows.map(({ Type, Reclaimable }) => [Type, Reclaimable]),
    [
      ['Images', '0B'],
      ['Containers', '0B'],
      ['Local Volumes', '0B'],
      ['Build Cache', '0B'],
    ],
  )
})

test('ownerListing() ends with the total', () => {
  const { rows } = ownerListing({
    Root: '/data',
    Total: 12_288,
    Shares: [
      { Kind: 'layer', Count: 2, Size: 8192, Reclaimable: 4096 },
      { Kind: 'record', Count: 1, Size: 4096, Reclaimable: 0 },
    ],
    Items: [],
    Reclaimable: { Prune: 0, All: 4096 },
  })
  assert.deepEqual(
    rows.map(({ Owner, Bytes }) => [Owner, Bytes]),
    [
      ['Image layers', '8192'],
      ['Records', '4096'],
      ['TOTAL', '12288'],
    ],
  )
})
