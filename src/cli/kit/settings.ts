import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errnoOf } from '#base'
import type { Context } from './command.ts'

/** Members of docker's config.json: the form of a list where no --format is typed, and the keys that detach. */
type Setting = 'psFormat' | 'imagesFormat' | 'networksFormat' | 'volumesFormat' | 'detachKeys'

/** What the user's config.json says of it; undefined where there is none, or no file that can be read. */
export function userSetting({ env }: Pick<Context, 'env'>, setting: Setting): string | undefined {
  const text = readText(join(env['DOCKER_CONFIG'] || join(env['HOME'] || '/', '.docker'), 'config.json'))
  const value = text.includes(`"${setting}"`) ? memberOf(text, setting) : undefined
  return typeof value === 'string' && value !== '' ? value : undefined
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return ''
  }
}

function memberOf(text: string, name: string): unknown {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return undefined
  }
}
