import type { EngineConfig } from '#engine'
import { inheritedHost } from '#engine/namespace'
import type { DaemonOptions } from './daemon-options.ts'
import { VERSION } from './version.ts'

/** What the flags and the environment say, for the engine. */
export function engineConfigOf(options: DaemonOptions): EngineConfig {
  return {
    version: VERSION,
    dataRoot: options.dataRoot,
    execRoot: options.execRoot,
    mirrors: options.mirrors,
    insecureRegistries: options.insecureRegistries,
    ...(options.containerLog && { containerLog: options.containerLog }),
    proxy: proxyOf(process.env),
    network: options.network,
    logLevel: options.logLevel,
    workerEntry: entryOf('worker'),
    switchboardEntry: entryOf('switchboard'),
    hostMounts: inheritedHost(process.env),
    writeLog: (line) => process.stderr.write(line),
    path: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
  }
}

/** The usual variables, in either case. */
function proxyOf(env: NodeJS.ProcessEnv): EngineConfig['proxy'] {
  const read = (name: string): string | undefined => env[name.toUpperCase()] ?? env[name]
  const [http, https, except] = [read('http_proxy'), read('https_proxy'), read('no_proxy')]
  return { ...(http && { http }), ...(https && { https }), ...(except && { except }) }
}

/** Beside this file, in the same form: `worker.ts` in the sources, `worker.js` in the bundle. */
function entryOf(name: string): URL {
  return new URL(`./${name}.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url)
}
