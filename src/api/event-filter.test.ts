import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EngineEvent } from '#event'
import { isWanted } from './event-filter.ts'

const DIED: EngineEvent = {
  type: 'container',
  action: 'die',
  actor: { id: 'abcdef', attributes: { name: 'web', image: 'busybox:1', exitCode: '0', app: 'x' } },
  time: 0n,
}
const EXEC: EngineEvent = { ...DIED, action: 'exec_create: ls' }
const PULLED: EngineEvent = {
  type: 'image',
  action: 'pull',
  actor: { id: 'busybox:1', attributes: { name: 'busybox' } },
  time: 0n,
}

const CASES: readonly (readonly [EngineEvent, Readonly<Record<string, readonly string[]>>, boolean])[] = [
  [DIED, {}, true],
  [DIED, { event: ['start', 'die'] }, true],
  [DIED, { event: ['di'] }, false],
  [DIED, { type: ['image'] }, false],
  [DIED, { type: ['image', 'container'], event: ['die'] }, true],
  [DIED, { container: ['web'] }, true],
  [DIED, { container: ['abc'] }, true],
  [DIED, { container: ['db'] }, false],
  [DIED, { image: ['busybox'] }, true],
  [DIED, { image: ['busybox:1'] }, true],
  [DIED, { image: ['busybox:2'] }, false],
  [DIED, { label: ['app'] }, true],
  [DIED, { label: ['app=x'] }, true],
  [DIED, { label: ['app=x', 'other'] }, false],
  [DIED, { scope: ['swarm'] }, false],
  [DIED, { plugin: ['x'] }, false],
  [DIED, { volume: ['x'] }, false],
  [EXEC, { event: ['exec_create'] }, true],
  [EXEC, { event: ['exec_create: ls'] }, true],
  [EXEC, { event: ['exec_start'] }, false],
  [PULLED, { image: ['busybox'] }, true],
  [PULLED, { container: ['busybox'] }, false],
]

for (const [event, filters, wanted] of CASES)
  test(`isWanted(): ${event.action} is ${wanted ? '' : 'not '}in ${JSON.stringify(filters)}`, () => {
    assert.equal(isWanted(event, new Map(Object.entries(filters))), wanted)
  })
