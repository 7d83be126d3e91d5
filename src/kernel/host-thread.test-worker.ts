import { serveJobs } from './job.ts'

const never = new Int32Array(new SharedArrayBuffer(4))

serveJobs({
  /** Hangs as a system call does: nothing but its time ends it. */
  'test.hang': ({ milliseconds }: { readonly milliseconds: number }) => {
    Atomics.wait(never, 0, 0, milliseconds)
    return milliseconds
  },
  /** Works, as one that gets too little of a processor does. */
  'test.work': ({ milliseconds }: { readonly milliseconds: number }) => {
    const end = performance.now() + milliseconds
    while (performance.now() < end);
    return milliseconds
  },
  'test.look': ({ path }: { readonly path: string }) => path,
  'test.die': () => process.exit(7),
})
