import { builderJobs } from '#builder'
import { containerJobs } from '#container'
import { serveJobs } from '#kernel'
import { contentJobs } from '#store/content'
import { databaseJobs } from '#store/db'
import { layerJobs } from '#store/layer'
import { snapshotJobs } from '#store/snapshot'
import { volumeJobs } from '#volume'

/** The whole of a worker thread: the job tables of all rooms that bring some. */
serveJobs({
  ...databaseJobs,
  ...contentJobs,
  ...snapshotJobs,
  ...layerJobs,
  ...builderJobs,
  ...containerJobs,
  ...volumeJobs,
})
