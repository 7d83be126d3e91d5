import { internal } from '#base'
import { aliasName } from './variables.ts'

export interface LinkText {
  readonly container: string
  readonly alias: string
}

/** «container:alias», or «container» for its own name. Throws in Docker's words. */
export function parseLink(text: string): LinkText {
  if (text === '') throw internal('empty string specified for links')
  const [container = '', alias, ...rest] = text.split(':')
  if (rest.length > 0) throw internal(`bad format for links: ${text}`)
  // As a link is written in an inspected container: «/db:/web/alias».
  if (container.startsWith('/') && alias?.startsWith('/')) return { container, alias: aliasName(alias) }
  return { container, alias: alias === undefined ? container.replace(/^\//, '') : alias }
}

/** The names behind the address in /etc/hosts: the alias, the host name, and the container's name where it is another. */
export function linkNames(link: {
  readonly alias: string
  readonly hostname: string
  readonly name: string
}): readonly string[] {
  const alias = aliasName(link.alias)
  return [alias, link.hostname, ...(link.name === alias ? [] : [link.name])]
}
