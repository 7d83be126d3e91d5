// Running programs, and saying what went wrong in a sentence.
import { spawn, spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants, mkdirSync, openSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'

/** An end of the script that the reader can act on: its text is printed without a stack. */
export class Stop extends Error {}

export function say(text) {
  process.stdout.write(`${text}\n`)
}

/** Runs `main` and turns what it throws into a line and exit status 1. */
export async function script(main) {
  try {
    await main()
  } catch (error) {
    process.stderr.write(`${error instanceof Stop ? error.message : (error?.stack ?? error)}\n`)
    process.exitCode = 1
  }
}

/** Output of a program that is expected to succeed; its last lines are in the error otherwise. */
export function capture(file, args, options = {}) {
  const done = spawnSync(file, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
    ...options,
  })
  if (done.error) throw new Stop(`cannot run ${file}: ${done.error.message}`)
  if (done.status !== 0) {
    const why = `${done.stderr ?? ''}`.trim().split('\n').slice(-12).join('\n')
    throw new Stop(`${[file, ...args].join(' ')} failed with ${done.status ?? done.signal}:\n${why}`)
  }
  return done.stdout
}

export function succeeds(file, args) {
  return spawnSync(file, args, { stdio: 'ignore' }).status === 0
}

/** Runs a program on the caller's own output; resolves to its exit status (128 + n for a signal). */
export function pass(file, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options })
    child.once('error', (error) => reject(new Stop(`cannot run ${file}: ${error.message}`)))
    child.once('close', (status, signal) => resolve(status ?? 128 + (signal === 'SIGKILL' ? 9 : 15)))
  })
}

/** Starts a program that stays: its own session, its output in a file, none of the caller's descriptors. */
export function background(file, args, { log, env = process.env, cwd = '/' }) {
  mkdirSync(dirname(log), { recursive: true })
  const output = openSync(log, 'a', 0o600)
  try {
    const child = spawn(file, args, { detached: true, stdio: ['ignore', output, output], env, cwd })
    child.once('error', () => undefined)
    child.unref()
    return child.pid
  } finally {
    closeSync(output)
  }
}

/** The program's path, looked up as the shell does, with root's folders too. */
export function which(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(executable)
}

function executable(path) {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Asks every 50 ms until the answer is truthy; undefined after `seconds`. */
export async function until(seconds, ask) {
  const end = Date.now() + seconds * 1000
  while (Date.now() < end) {
    const answer = await ask()
    if (answer) return answer
    await pause(50)
  }
  return undefined
}
