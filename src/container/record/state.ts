import { conflict } from '#base'
import type { ContainerState } from './types.ts'

/** What changes a container's state. */
export type ContainerFact =
  | 'started'
  | 'start-failed'
  | 'paused'
  | 'resumed'
  | 'exited'
  | 'removal-begun'
  | 'removal-failed'

/** By fact: from which state to which. What is not named cannot happen. */
const TRANSITIONS: Readonly<Record<ContainerFact, Readonly<Partial<Record<ContainerState, ContainerState>>>>> = {
  started: { created: 'running', exited: 'running', restarting: 'running' },
  'start-failed': { created: 'created', exited: 'exited', restarting: 'exited' },
  paused: { running: 'paused' },
  resumed: { paused: 'running' },
  exited: { running: 'exited', paused: 'exited', restarting: 'exited' },
  'removal-begun': { created: 'removing', exited: 'removing', restarting: 'removing', dead: 'removing' },
  'removal-failed': { removing: 'dead' },
}

/** The one transition function. Throws `conflict` where the fact cannot happen in that state. */
export function nextState(now: ContainerState, fact: ContainerFact): ContainerState {
  const next = TRANSITIONS[fact][now]
  if (next === undefined) throw conflict(`a container that is ${now} cannot become one that has ${fact}`)
  return next
}

/** True where a process of it is there. */
export function isLive(state: ContainerState): boolean {
  return state === 'running' || state === 'paused'
}
