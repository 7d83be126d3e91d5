import { isUtf8 } from 'node:buffer'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { invalid } from '#base'
import { badArgument, errorText, openError, pairsOf } from '#cli/kit'

type Environment = Readonly<Record<string, string | undefined>>

interface EnvironmentOptions {
  readonly flags: { readonly env: readonly string[]; readonly 'env-file': readonly string[] }
  readonly env: Environment
  readonly cwd: string
}

/** Files first, then -e; a name alone takes the value that it has here, and is left out of a file where it has none. */
export function environment({ flags, env, cwd }: EnvironmentOptions): readonly string[] {
  const fromFiles = flags['env-file']
    .flatMap((file) => readLines(file, cwd))
    .flatMap((line) => withValue(line, env) ?? [])
  const fromFlags = flags.env.map((line) => {
    if (line === '' || line.startsWith('='))
      throw badArgument(line, '-e, --env', `invalid environment variable: ${line}`)
    return withValue(line, env) ?? line
  })
  return [...fromFiles, ...fromFlags]
}

function withValue(line: string, env: Environment): string | undefined {
  if (line.includes('=')) return line
  const value = env[line]
  return value === undefined ? undefined : `${line}=${value}`
}

interface LabelOptions {
  readonly flags: { readonly label: readonly string[]; readonly 'label-file': readonly string[] }
  readonly cwd: string
}

/** Files first, then -l; a name alone is left out of a file. */
export function labels({ flags, cwd }: LabelOptions): Readonly<Record<string, string>> {
  const bad = flags.label.find((label) => label === '' || label.startsWith('='))
  if (bad !== undefined) throw badArgument(bad, '-l, --label', `invalid label '${bad}': empty name`)
  const nameOf = (label: string): string => (label.split('=')[0] ?? '').trimStart()
  const spaced = flags.label.find((label) => /\s/.test(nameOf(label)))
  if (spaced !== undefined) throw badArgument(spaced, '-l, --label', `label '${nameOf(spaced)}' contains whitespaces`)
  const fromFiles = flags['label-file'].flatMap((file) => readLines(file, cwd)).filter((line) => line.includes('='))
  return pairsOf([...fromFiles, ...flags.label])
}

/** Lines of an --env-file or --label-file without blank ones and comments. */
function readLines(file: string, cwd: string): readonly string[] {
  const lines = textsOf(read(resolve(cwd, file), file), file)
  const wanted = lines.map((line) => line.trimStart()).filter((line) => line !== '' && !line.startsWith('#'))
  const bad = wanted.find((line) => /\s/.test(line.split('=')[0] ?? ''))
  if (bad !== undefined)
    throw invalid(`invalid env file (${file}): variable '${bad.split('=')[0] ?? ''}' contains whitespaces`)
  const nameless = wanted.find((line) => line.startsWith('='))
  if (nameless !== undefined) throw invalid(`invalid env file (${file}): no variable name on line '${nameless}'`)
  return wanted
}

/** What is no UTF-8 would become another text. */
function textsOf(bytes: Buffer, file: string): readonly string[] {
  const lines = bytes.toString('latin1').split(/\r?\n/)
  return lines.map((line, index) => {
    const raw = Buffer.from(line, 'latin1')
    if (!isUtf8(raw))
      throw invalid(`invalid env file (${file}): invalid utf8 bytes at line ${index + 1}: [${raw.join(' ')}]`)
    return index === 0 ? raw.toString().replace(/^\uFEFF/, '') : raw.toString()
  })
}

function read(path: string, name: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const text = errorText(error, 'read', name)
    // It opens, as Go sees it.
    if (text.endsWith(': is a directory')) throw invalid(`invalid env file (${name}): ${text}`, { cause: error })
    throw openError(error, name)
  }
}
