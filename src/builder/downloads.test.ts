import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isGitAddress, isWebAddress } from './downloads.ts'

for (const [source, web, git] of [
  ['http://host/file', true, false],
  ['https://host/a.tar.gz?x=1', true, false],
  ['https://host/owner/name.git', true, true],
  ['https://host/owner/name.git#v1:folder', true, true],
  ['git://host/name', false, true],
  ['ssh://git@host/name', false, true],
  ['git@host:owner/name', false, true],
  ['httpd.conf', false, false],
  ['folder/name.git', false, false],
] as const)
  test(`a source of ADD: ${source}`, () => {
    assert.equal(isWebAddress(source), web)
    assert.equal(isGitAddress(source), git)
  })
