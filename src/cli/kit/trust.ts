import { invalid } from '#base'
import { flag } from './command.ts'

/** Of what fetches or sends images. There is no content trust here: it is on without a word, as with docker. */
export const trustFlag = { 'disable-content-trust': flag.switch('Skip image verification', { on: true }) }

export function refuseTrust(flags: { readonly 'disable-content-trust': boolean }): void {
  if (!flags['disable-content-trust']) throw invalid('--disable-content-trust=false: not yet carried out by mica')
}
