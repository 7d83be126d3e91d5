/**
 * engine/namespace: the daemon's own mount namespace (decision 005), entered by executing the program again inside it,
 * left when nothing runs any more.
 * It is apart from the engine so that a daemon enters it before it loads the rest: what is loaded before is thrown away.
 * What is mounted there is other rooms' affair.
 */
export { enterOwnNamespace, inheritedHost, releaseOwnNamespace, releaseUnusedNamespace } from './own-namespace.ts'
