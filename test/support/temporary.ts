import { mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unmountSync } from '#kernel'

const OVERLAY = 0x794c7630

export interface Temporary extends Disposable {
  readonly path: string
  join(...parts: readonly string[]): string
}

/**
 * A folder of the test's own on a file system that can be the upper of an overlay. Its path is short: a unix
 * socket's ends at 107 bytes. At the end what is mounted below it is detached and everything is removed.
 */
export function temporary(): Temporary {
  const path = mkdtempSync(join(baseFolder(), 'mica-'))
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.dispose]() {
      for (const target of mountsBelow(path)) unmountSync(target, { detach: true })
      rmSync(path, { recursive: true, force: true })
    },
  }
}

function baseFolder(): string {
  const candidates = [process.env['MICA_TEST_FOLDER'], '/var/tmp', tmpdir()].filter((folder) => folder !== undefined)
  return candidates.find((folder) => statfsSync(folder).type !== OVERLAY) ?? '/var/tmp'
}

/** Deepest first. */
function mountsBelow(path: string, table = '/proc/self/mountinfo'): readonly string[] {
  return readFileSync(table, 'utf8')
    .split('\n')
    .map((line) => unescape(line.split(' ')[4] ?? ''))
    .filter((target) => target === path || target.startsWith(`${path}/`))
    .reverse()
}

/** proc(5): space, tab, line feed and backslash are written as three octal digits. */
function unescape(text: string): string {
  return text.replace(/\\(\d{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
