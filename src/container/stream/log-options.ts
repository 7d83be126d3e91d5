import { invalid } from '#base'

/** Where a container's output is kept, in Docker's words: the driver's name and its options as they were given. */
export interface LogConfig {
  readonly driver: string
  readonly options: Readonly<Record<string, string>>
}

/** How much of a log is kept. */
export interface LogLimits {
  /** Bytes of one file; Infinity where it is never put aside. */
  readonly maxSize: number
  /** Files, the one that is written to included. */
  readonly maxFiles: number
}

/** What a log may grow to where nobody says otherwise: five files of 20 MB. */
const DEFAULT_LIMITS: LogLimits = { maxSize: 20_000_000, maxFiles: 5 }

export const DEFAULT_LOG: LogConfig = { driver: 'json-file', options: {} }

/** Docker's drivers that hand the output to somebody else. */
const OTHER_DRIVERS = new Set('syslog journald gelf fluentd awslogs splunk etwlogs gcplogs'.split(' '))

/** Options of Docker's own that are not carried out. */
const NOT_YET = ['compress', 'labels', 'labels-regex', 'env', 'env-regex', 'tag', 'max-buffer-size']

/** Throws `invalid`, in Docker's words where it knows them, for a driver or an option that cannot be had. */
export function checkLog(config: LogConfig): void {
  const { driver, options } = config
  if (OTHER_DRIVERS.has(driver)) throw invalid(`--log-driver ${driver}: not yet carried out by mica`)
  if (driver === 'none') {
    if (Object.keys(options).length > 0) throw invalid('invalid logging opts for driver none')
    return
  }
  if (driver !== 'json-file' && driver !== 'local')
    throw invalid(`error looking up logging plugin ${driver}: plugin "${driver}" not found`)
  for (const [name, value] of Object.entries(options)) checkOption(driver, name, value)
  logLimits(config)
}

function checkOption(driver: string, name: string, value: string): void {
  if (name === 'max-size' || name === 'max-file') return
  if (name === 'mode') {
    if (value === 'blocking' || value === '') return
    if (value !== 'non-blocking') throw invalid(`logger: logging mode not supported: ${value}`)
  } else if (!NOT_YET.includes(name)) {
    const where = driver === 'local' ? 'log driver local' : `${driver} log driver`
    throw invalid(`unknown log opt '${name}' for ${where}`)
  }
  if (value !== '' && value !== 'false')
    throw invalid(`--log-opt ${name}: not yet carried out by mica (${name}=${value})`)
}

/** Undefined where nothing is kept. Throws `invalid` in Docker's words for what is no number. */
export function logLimits({ driver, options }: LogConfig): LogLimits | undefined {
  if (driver === 'none') return undefined
  try {
    return { maxSize: sizeOf(options['max-size']), maxFiles: countOf(options['max-file']) }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw invalid(`failed to create task for container: failed to initialize logging driver: ${error.message}`, {
      cause: error,
    })
  }
}

const UNITS = ['', 'k', 'm', 'g', 't', 'p']

/** `10m`, `1.5g`, `512kb`, `100`; -1 is no limit, as in Docker. */
function sizeOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMITS.maxSize
  if (text === '-1') return Number.POSITIVE_INFINITY
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kmgtp])i?)?b?$/i.exec(text) ?? []
  if (number === undefined) throw new RangeError(`invalid size: '${text}'`)
  const size = Math.floor(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()))
  if (size <= 0) throw new RangeError('max-size must be a positive number')
  return size
}

function countOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LIMITS.maxFiles
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new RangeError(`strconv.Atoi: parsing "${text}": invalid syntax`)
  if (Number(text) < 1) throw new RangeError('max-file cannot be less than 1')
  return Number(text)
}
