import { addressBytes } from '#kernel'

const REVERSE_4 = '.in-addr.arpa'
const REVERSE_6 = '.ip6.arpa'

/** The key under which an address is known, whichever way it is written. */
export function addressKey(address: string): string {
  return Buffer.from(addressBytes(address)).toString('hex')
}

/** The address (as a key) that a name for the way back stands for, as «3.0.168.192.in-addr.arpa» does. */
export function reverseKey(name: string): string | undefined {
  if (name.endsWith(REVERSE_4)) return bytesKey(name.slice(0, -REVERSE_4.length).split('.'))
  if (name.endsWith(REVERSE_6)) return nibblesKey(name.slice(0, -REVERSE_6.length).split('.'))
  return undefined
}

function bytesKey(labels: readonly string[]): string | undefined {
  if (labels.length !== 4 || !labels.every((label) => /^\d{1,3}$/.test(label) && Number(label) < 256)) return undefined
  return Buffer.from(labels.toReversed().map(Number)).toString('hex')
}

function nibblesKey(labels: readonly string[]): string | undefined {
  return labels.length === 32 && labels.every((label) => /^[0-9a-f]$/.test(label))
    ? labels.toReversed().join('')
    : undefined
}
