import { invalid } from '#base'
import type { MergedConfig } from './merge.ts'
import type { CreateRequest } from './types.ts'

/** What would write lines of its own into /etc/hosts, /etc/hostname or /etc/resolv.conf of a container. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/** What is asked for goes into lines of files: a line feed in it would be a line that nobody asked for. Throws `invalid`. */
export function checkLines(what: string, texts: readonly (string | undefined)[]): void {
  const wrong = texts.find((text) => text !== undefined && CONTROL.test(text))
  if (wrong === undefined) return
  throw invalid(`invalid ${what} ${JSON.stringify(wrong)}: it has a line feed or another control character`)
}

/** A process, a path and a mount end at a NUL byte, wherever it is cut off silently. Throws `invalid`. */
export function checkNul(what: string, texts: readonly (string | undefined)[]): void {
  const wrong = texts.find((text) => text?.includes('\0'))
  if (wrong !== undefined) throw invalid(`invalid ${what} ${JSON.stringify(wrong)}: it has a NUL byte`)
}

type Asked = Pick<CreateRequest, 'domainname' | 'dns' | 'extraHosts' | 'links' | 'networks' | 'mounts'>

/** Every text of a new container, asked for or its image's, that goes into a file, a path or a process. Throws `invalid`. */
export function checkTexts(request: Asked, merged: MergedConfig): void {
  const { dns, networks, mounts } = request
  checkLines('hostname', [merged.hostname])
  checkLines('domainname', [request.domainname])
  checkLines('DNS search domain', dns.search)
  checkLines('DNS option', dns.options)
  checkLines('add-host', request.extraHosts)
  checkLines('link', [...request.links, ...networks.flatMap(({ links }) => links)])
  checkLines(
    'network alias',
    networks.flatMap(({ aliases }) => aliases),
  )
  checkNul('command', [merged.path, ...merged.args])
  checkNul('environment variable', merged.env)
  checkNul('user', [merged.user])
  checkNul('working directory', [merged.workingDir])
  checkNul('volume', merged.volumes)
  checkNul(
    'mount',
    mounts.flatMap(({ source, target, subpath, options }) => [source, target, subpath, options]),
  )
}
