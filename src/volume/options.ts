import { invalid } from '#base'

/** What the options of the local driver ask to be mounted. */
export interface VolumeMount {
  readonly device: string
  /** A file system, or `none` for a bind. */
  readonly type: string
  /** Of mount(8), separated by commas. */
  readonly options: string
}

const KNOWN = ['type', 'o', 'device', 'size']

/** What each option needs beside it. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  device: ['type'],
  type: ['device'],
  o: ['device', 'type'],
}

type Options = Readonly<Record<string, string>>

/** Throws `invalid` in Docker's words for options that the local driver does not have, or that lack others. */
export function checkOptions(name: string, options: Options): void {
  const refuse = (why: string): never => {
    throw invalid(`create ${name}: ${why}`)
  }
  const unknown = Object.keys(options).find((option) => !KNOWN.includes(option))
  if (unknown !== undefined) refuse(`invalid option: "${unknown}"`)
  const { type, device, size } = options
  if (type === 'cifs' && device !== undefined && /^(\w+:)?\/\/[^/]*:\d+(\/|$)/.test(device)) {
    refuse("port not allowed in CIFS device URL, include 'port' in 'o='")
  }
  if (size !== undefined) refuse(isSize(size) ? 'quota size requested but no quota support' : `invalid size: '${size}'`)
  for (const option of Object.keys(options)) {
    const missing = NEEDS[option]?.find((need) => options[need] === undefined)
    if (missing !== undefined) refuse(`missing required option: "${missing}"`)
  }
}

function isSize(text: string): boolean {
  return /^\d+(\.\d+)? ?([kmgtp]?(i?b)?)$/i.test(text)
}

/** Undefined where a volume is a folder of its own. */
export function mountOf({ device, type, o = '' }: Options): VolumeMount | undefined {
  return device === undefined || type === undefined ? undefined : { device, type, options: o }
}
