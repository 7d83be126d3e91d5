import { constants } from 'node:os'
import { invalid } from '#base'

const LAST = 64
const RTMIN = 34

/** A signal's number by its name, with or without SIG, or its number. Throws «invalid signal: x» as Docker. */
export function parseSignal(text: string): number {
  const upper = text.toUpperCase().replace(/^SIG/, '')
  const number = /^\d+$/.test(text) ? Number(text) : (named(`SIG${upper}`) ?? realtime(upper))
  if (number === undefined || number < 1 || number > LAST) throw invalid(`invalid signal: ${text}`)
  return number
}

function named(name: string): number | undefined {
  return Object.entries(constants.signals).find(([known]) => known === name)?.[1]
}

function realtime(name: string): number | undefined {
  const match = /^RTM(IN|AX)(?:([+-]\d{1,2}))?$/.exec(name)
  return match ? (match[1] === 'IN' ? RTMIN : LAST) + Number(match[2] ?? 0) : undefined
}
