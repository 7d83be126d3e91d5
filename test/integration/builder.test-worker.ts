import { builderJobs } from '#builder'
import { serveJobs } from '#kernel'
import { contentJobs } from '#store/content'
import { databaseJobs } from '#store/db'
import { layerJobs } from '#store/layer'
import { snapshotJobs } from '#store/snapshot'

serveJobs({ ...builderJobs, ...contentJobs, ...databaseJobs, ...layerJobs, ...snapshotJobs })
