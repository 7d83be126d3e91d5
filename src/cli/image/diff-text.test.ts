import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ImageDiffHeadJson, PathDifferenceJson, PathFactsJson } from '#wire'
import { configText, differenceText, totalsText } from './diff-text.ts'

const file: PathFactsJson = { Type: 'file', Size: 1000, Mode: 0o644, Uid: 0, Gid: 0 }
const folder: PathFactsJson = { ...file, Type: 'directory', Size: 0, Mode: 0o755 }
const link: PathFactsJson = { ...file, Type: 'symlink', Size: 0, Link: 'x' }

const LINES: readonly (readonly [PathDifferenceJson, string])[] = [
  [{ Kind: 1, Path: '/a', After: file }, 'A      +1kB  /a'],
  [{ Kind: 2, Path: '/a', Before: file }, 'D      -1kB  /a'],
  [{ Kind: 1, Path: '/d', After: folder }, 'A            /d/'],
  [{ Kind: 1, Path: '/l', After: link }, 'A            /l -> x'],
  [
    { Kind: 0, Path: '/a', What: ['content'], Before: file, After: { ...file, Size: 1500 } },
    'C     +500B  /a  (content)',
  ],
  [{ Kind: 0, Path: '/a', What: ['content'], Before: file, After: file }, 'C            /a  (content)'],
  [
    { Kind: 0, Path: '/a', What: ['mode', 'owner'], Before: file, After: { ...file, Mode: 0o4755, Uid: 5, Gid: 6 } },
    'C            /a  (mode 0644 → 4755, owner 0:0 → 5:6)',
  ],
  [{ Kind: 0, Path: '/l', What: ['content'], Before: link, After: { ...link, Link: 'y' } }, 'C            /l  (x → y)'],
  [{ Kind: 0, Path: '/t', What: ['type'], Before: file, After: folder }, 'C      -1kB  /t/  (file → directory)'],
  [{ Kind: 1, Path: '/e\u001b[31m\n', After: file }, 'A      +1kB  /e\\u001b[31m\\n'],
  [
    { Kind: 0, Path: '/', What: ['mode'], Before: folder, After: { ...folder, Mode: 0o700 } },
    'C            /  (mode 0755 → 0700)',
  ],
]

for (const [line, text] of LINES)
  test(`differenceText(): ${text.replaceAll(/ +/g, ' ')}`, () => {
    assert.equal(differenceText(line), `${text}\n`)
  })

const head: ImageDiffHeadJson = {
  Before: { Id: 'sha256:a', Layers: 2 },
  After: { Id: 'sha256:b', Layers: 3 },
  SharedLayers: 2,
  Config: [
    { Field: 'Cmd', Before: ['sh'], After: ['sh', '-c'] },
    { Field: 'Env', Before: ['A=1', 'B=2'], After: ['A=1', 'B=3'] },
    { Field: 'ExposedPorts', Before: null, After: { '80/tcp': {} } },
    { Field: 'Labels', Before: { a: 'b' }, After: null },
    { Field: 'User', Before: 'root', After: null },
  ],
}

test('configText() shows what came and went, and the whole of what is in order', () => {
  assert.equal(
    configText(head),
    `config Cmd: ["sh"] → ["sh","-c"]
config Env: -B=2 +B=3
config ExposedPorts: +80/tcp
config Labels: -a=b
config User: "root" → none
`,
  )
})

test('totalsText() counts', () => {
  const none = { Files: 0, Folders: 0, Bytes: 0 }
  const text = totalsText(head, {
    Totals: {
      Added: { Files: 1, Folders: 2, Bytes: 1000 },
      Changed: none,
      Removed: { Files: 3, Folders: 0, Bytes: -5 },
    },
  })
  assert.equal(
    text,
    '1 file and 2 folders added (+1kB), 0 files changed, 3 files removed (-5B), +995B in all; 2 of 2 and 3 layers shared\n',
  )
  const same = totalsText(head, { Totals: { Added: none, Changed: none, Removed: none } })
  assert.equal(same, 'no file differs; 2 of 2 and 3 layers shared\n')
})
