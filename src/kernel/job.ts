import { readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { isMainThread, type MessagePort, parentPort } from 'node:worker_threads'
import { internal } from '#base'
import { hostJobs } from './host-job.ts'
import { END, errorImage, type JobMessage, type JobReply } from './job-message.ts'
import { giveMemoryBack } from './memory.ts'
import type { JobContext, JobTable } from './types.ts'

/** A thread that has had no job for so long gives memory back. Longer than most threads stay. Milliseconds. */
const REST_AFTER = 20_000

/** The whole life of a worker thread of the pool: what its entry file calls, with the jobs of all rooms. */
export function serveJobs(table: JobTable, { restAfter = REST_AFTER } = {}): void {
  if (isMainThread || !parentPort) throw internal('cannot serve jobs on the main thread')
  const port = parentPort
  const jobs: JobTable = { ...hostJobs, ...table }
  port.postMessage({ id: 0, tid: Number(basename(readlinkSync('/proc/thread-self'))) } satisfies JobReply)
  const rest = setTimeout(giveMemoryBack, restAfter).unref()
  port.on('message', (message: JobMessage | typeof END) => {
    // of this thread alone
    if (message === END) process.exit(0)
    void answer(jobs, message, port).finally(() => rest.refresh())
  })
}

async function answer(jobs: JobTable, message: JobMessage, port: MessagePort): Promise<void> {
  const reply = (value: JobReply): void => port.postMessage(value)
  const { id } = message
  const flag = new Int32Array(message.cancel)
  const context: JobContext = {
    cancelled: () => Atomics.load(flag, 0) !== 0,
    report: (report) => reply({ id, report }),
  }
  try {
    const job = Object.hasOwn(jobs, message.job) ? jobs[message.job] : undefined
    if (!job) throw internal(`cannot run job ${message.job}: this worker has none of that name`)
    reply({ id, output: await job(message.input, context) })
  } catch (error) {
    reply({ id, error: errorImage(error) })
  }
}
