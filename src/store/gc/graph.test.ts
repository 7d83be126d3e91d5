import type { Resource } from '#store/lease'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { traceGraph } from './graph.ts'

const snapshot = (id: string): Resource => ({ kind: 'snapshot', id })
const EDGES: Readonly<Record<string, readonly string[]>> = {
  top: ['middle'],
  other: ['middle'],
  middle: ['base'],
  base: ['base'],
}
const edges = ({ id }: Resource): Resource[] => (EDGES[id] ?? []).map(snapshot)

test('traceGraph() knows what is reachable, and what leads to each', async () => {
  const graph = await traceGraph([snapshot('top'), snapshot('other')], edges)
  assert.deepEqual([...graph.resources.keys()].sort(), [
    'snapshot base',
    'snapshot middle',
    'snapshot other',
    'snapshot top',
  ])
  assert.deepEqual([...graph.referrers('snapshot middle')].sort(), ['snapshot other', 'snapshot top'])
  assert.equal(graph.referrers('snapshot top').size, 0)
  assert.deepEqual([...graph.reach(['snapshot middle'])].sort(), ['snapshot base', 'snapshot middle'])
  assert.equal(graph.reach([]).size, 0)
})
