/** Nanoseconds of each unit, as Docker writes durations. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
}

const PART = /(\d+\.?\d*|\.\d+)([^\d.]*)/gy

/** Nanoseconds of «1h30m», «1.5s», «-2ms», «0»; a sentence in the clients' words where it is none. */
export function parseDuration(text: string): number | { readonly problem: string } {
  const quoted = JSON.stringify(text)
  const unsigned = text.replace(/^[+-]/, '')
  if (unsigned === '0') return 0
  let total = 0
  let end = 0
  for (const [part, amount = '', unit = ''] of unsigned.matchAll(PART)) {
    if (unit === '') return { problem: `time: missing unit in duration ${quoted}` }
    const scale = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined
    if (scale === undefined) return { problem: `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}` }
    total += Math.round(Number(amount) * scale)
    end += part.length
  }
  if (end === 0 || end !== unsigned.length || !Number.isSafeInteger(total))
    return { problem: `time: invalid duration ${quoted}` }
  return text.startsWith('-') ? -total : total
}
