import { serveJobs } from '#kernel'

/** The entry file of worker threads: the job tables of all rooms that bring some. */
serveJobs({})
