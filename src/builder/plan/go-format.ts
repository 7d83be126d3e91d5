/** «["a" "b"]»: a list as Docker's history shows commands. */
export function quotedList(values: readonly string[]): string {
  return `[${values.map((value) => JSON.stringify(value)).join(' ')}]`
}

/** «[a b]». */
export function plainList(values: readonly string[]): string {
  return `[${values.join(' ')}]`
}

const SUBUNITS = [
  [1e6, 'ms'],
  [1e3, 'µs'],
  [1, 'ns'],
] as const

/** Nanoseconds as «1h0m0s», «1.5s», «500ms», «0s». */
export function formatDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s'
  if (nanoseconds < 1e9) {
    const [scale, unit] = SUBUNITS.find(([size]) => nanoseconds >= size) ?? [1, 'ns']
    return `${nanoseconds / scale}${unit}`
  }
  const minutes = Math.floor(nanoseconds / 60e9)
  const seconds = `${(nanoseconds - minutes * 60e9) / 1e9}s`
  if (minutes === 0) return seconds
  const hours = Math.floor(minutes / 60)
  return hours === 0 ? `${minutes}m${seconds}` : `${hours}h${minutes % 60}m${seconds}`
}
