import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ImageTreeRowJson } from '#wire'
import { treeText } from './image-tree.ts'

function row(id: string, below: string | null, tags: readonly string[], sizes: readonly [number, number]) {
  const [Size, OwnSize] = sizes
  return { Id: id, Below: below, RepoTags: tags, Size, OwnSize, Containers: id === 'b' ? 2 : 0 }
}

test('treeText() draws each image under the one it stands on', () => {
  const images: readonly ImageTreeRowJson[] = [
    row('d', 'b', ['top:1'], [130, 10]),
    row('b', 'a', ['mid:1', 'mid:2'], [120, 20]),
    row('c', 'a', [], [101, 1]),
    row('a', null, ['base:1'], [100, 100]),
  ]
  assert.equal(
    treeText(images, true),
    `IMAGE             ID        SIZE      OWN SIZE   CONTAINERS
base:1            a         100B      100B       
├─ mid:1, mid:2   b         120B      20B        2
│  └─ top:1       d         130B      10B        
└─ <none>         c         101B      1B         
`,
  )
})
