import { writeSync } from 'node:fs'
import { createPipe } from './pipe.ts'
import { watch } from './poll.ts'

/** Ends while it watches what becomes ready in that moment; for poll.test.ts. */
const { from, to } = createPipe()
void watch(from, 'readable', { keepAlive: false }).ready()
process.on('exit', () => writeSync(to, 'x'))
