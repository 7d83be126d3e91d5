import assert from 'node:assert/strict'
import { test } from 'node:test'
import { componentsOfName, nameOfText, placeOfName, textOfName } from './name.ts'

const PATHS: readonly (readonly [path: string, components: readonly string[] | undefined])[] = [
  ['a/b', ['a', 'b']],
  ['./a//b/', ['a', 'b']],
  ['/etc/passwd', ['etc', 'passwd']],
  ['a/../b', ['b']],
  ['.', []],
  ['a/..', []],
  ['..', undefined],
  ['a/../../b', undefined],
  ['a\0b', undefined],
  ['a/b/.', ['a', 'b']],
  ['...', ['...']],
  ['a/.b/..c', ['a', '.b', '..c']],
  ['', []],
]

for (const [path, components] of PATHS) {
  test(`componentsOfName() of ${JSON.stringify(path)} is ${JSON.stringify(components)}`, () => {
    if (components) {
      assert.deepEqual(componentsOfName(path), components)
      assert.equal(placeOfName(path), components.join('/'))
    } else {
      assert.throws(() => componentsOfName(path), { kind: 'invalid' })
      assert.throws(() => placeOfName(path), { kind: 'invalid' })
    }
  })
}

test('names go from text to bytes and back', () => {
  assert.equal(nameOfText('grün'), 'gr\xc3\xbcn')
  assert.equal(textOfName('gr\xc3\xbcn'), 'grün')
  assert.equal(textOfName('\xff'), '\ufffd')
})
