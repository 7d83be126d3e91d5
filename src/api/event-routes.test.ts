import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EngineEvent } from '#event'
import { encodeEvent } from './event-routes.ts'

const TIME = 1795241305826791868n

const CASES: readonly (readonly [Omit<EngineEvent, 'time'>, string])[] = [
  [
    { type: 'container', action: 'die', actor: { id: 'ab', attributes: { name: 'x', image: 'i', exitCode: '0' } } },
    '{"status":"die","id":"ab","from":"i","Type":"container","Action":"die","Actor":{"ID":"ab","Attributes":{"exitCode":"0","image":"i","name":"x"}},"scope":"local","time":1795241305,"timeNano":1795241305826791868}',
  ],
  [
    { type: 'image', action: 'prune', actor: { id: '', attributes: { reclaimed: '0' } } },
    '{"status":"prune","Type":"image","Action":"prune","Actor":{"ID":"","Attributes":{"reclaimed":"0"}},"scope":"local","time":1795241305,"timeNano":1795241305826791868}',
  ],
  [
    { type: 'volume', action: 'create', actor: { id: 'v', attributes: { driver: 'local' } } },
    '{"Type":"volume","Action":"create","Actor":{"ID":"v","Attributes":{"driver":"local"}},"scope":"local","time":1795241305,"timeNano":1795241305826791868}',
  ],
]

for (const [event, text] of CASES)
  test(`encodeEvent() writes ${event.type} ${event.action} with all its digits, as Docker does`, () => {
    assert.equal(encodeEvent({ ...event, time: TIME }), text)
  })
