import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { project } from './place.mjs'

/** Files of the project below `folder` that end with `suffix`, sorted, as paths from the project's root. */
export function filesUnder(folder, suffix, { deep = true } = {}) {
  if (!existsSync(join(project, folder))) return []
  return readdirSync(join(project, folder), { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return deep ? filesUnder(path, suffix) : []
      return entry.name.endsWith(suffix) ? [path] : []
    })
    .sort()
}
