import { keepCompiled } from './compiled.ts'

// The entry file of worker threads. The jobs take a third of its start to compile.
keepCompiled()
await import('./worker-jobs.ts')
