import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Runner } from '#builder'
import type { Log } from '#base'
import type { Networks } from '#network'
import type { Runtime } from '#runtime'
import type { Mount } from '#kernel'
export interface RunnerParts {
  readonly runtime: Runtime
  readonly networks: Networks
  readonly execRoot: string
  readonly log: Log
}
