import { writeFileSync } from 'node:fs'
import { errnoOf } from '#base'

/** Writes a setting below /proc/sys, in this network namespace; fine where the kernel does not have it. */
export function setSetting(name: string, value: string): void {
  try {
    writeFileSync(`/proc/sys/${name}`, value)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Switches IPv6 off for a link of this network namespace («all», «default» too); fine where the kernel has none. */
export function withoutIpv6(name: string): void {
  setSetting(`net/ipv6/conf/${name}/disable_ipv6`, '1')
}
