import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLive, nextState } from './state.ts'
import type { ContainerFact } from './state.ts'
import type { ContainerState } from './types.ts'

const STATES: readonly ContainerState[] = ['created', 'running', 'paused', 'restarting', 'exited', 'removing', 'dead']

/** By fact: the next state of each state in the order above; a dash where it cannot happen. */
const TABLE: Readonly<Record<ContainerFact, string>> = {
  started: 'running - - running running - -',
  'start-failed': 'created - - exited exited - -',
  paused: '- paused - - - - -',
  resumed: '- - running - - - -',
  exited: '- exited exited exited - - -',
  'removal-begun': 'removing - - removing removing - removing',
  'removal-failed': '- - - - - dead -',
}

for (const [fact, row] of Object.entries(TABLE) as [ContainerFact, string][]) {
  for (const [index, expected] of row.split(' ').entries()) {
    const state = STATES[index] ?? 'dead'
    if (expected === '-')
      test(`nextState() refuses that one ${state} has ${fact}`, () =>
        assert.throws(() => nextState(state, fact), { kind: 'conflict' }))
    else
      test(`nextState() of ${state} that has ${fact} is ${expected}`, () =>
        assert.equal(nextState(state, fact), expected))
  }
}

test('isLive() where there is a process', () => assert.deepEqual(STATES.filter(isLive), ['running', 'paused']))
