import { constants } from 'node:os'
import { invalid } from '#base'

const REALTIME = /^RT(MIN|MAX)?([+-]\d{1,2})?$/
const LAST_SIGNAL = 64

/** Throws «invalid signal: x» where Docker would. */
export function checkSignal(text: string): void {
  const number = /^\d+$/.test(text) ? Number(text) : undefined
  if (number !== undefined && number > 0 && number <= LAST_SIGNAL) return
  const name = text.toUpperCase().replace(/^SIG/, '')
  if (number === undefined && (Object.hasOwn(constants.signals, `SIG${name}`) || REALTIME.test(name))) return
  throw invalid(`invalid signal: ${text}`)
}
