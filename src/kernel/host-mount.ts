import type { JobTable } from './types.ts'

export const hostJobs = {} satisfies JobTable
