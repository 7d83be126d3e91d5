/** A thread that takes its time until it has started: asleep, as one whose code comes from a busy disk. */
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
await import('./host-thread.test-worker.ts')
