// The daemon that npm start leaves running: started from the bundle, replaced when the bundle or its flags changed.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { dist, projectNode, running } from './place.mjs'
import { alive, exists } from './process.mjs'
import { background, capture, say, Stop, until } from './run.mjs'

const SOCKET = '/run/mica/mica.sock'
const PIDFILE = '/run/mica/mica.pid'
const WORD = 'daemon.js'
const state = join(running, 'daemon.json')
const log = join(running, 'daemon.log')

/** Ends with the doctor's own line where something essential cannot be had. */
export function consultDoctor() {
  const look = spawnSync(projectNode(), [join(dist, 'daemon.js'), 'doctor', '--json'], { encoding: 'utf8' })
  if (!look.stdout.startsWith('[')) throw new Stop(`mica doctor could not look: ${look.stderr.trim()}`)
  const findings = JSON.parse(look.stdout)
  const missing = findings.filter((finding) => finding.essential && !finding.ok)
  if (missing.length === 0) return
  throw new Stop(missing.map(({ name, text, cure }) => `${name}: ${text}${cure ? `\n  cure: ${cure}` : ''}`).join('\n'))
}

/** Answers true where a daemon was started, false where the one that runs is the right one. */
export async function ensureDaemon(bundle, flags) {
  const wanted = { bundle, flags: flags.join(' ') }
  const pid = readPid()
  const runs = alive(pid, WORD)
  const known = readState()
  if (runs && known?.pid === pid && known.bundle === wanted.bundle && known.flags === wanted.flags && (await answers()))
    return false
  if (runs) {
    say('replacing the daemon that runs; its containers run on')
    stopDaemon()
  }
  await startDaemon(flags)
  mkdirSync(running, { recursive: true, mode: 0o700 })
  writeFileSync(state, JSON.stringify({ pid: readPid(), ...wanted }))
  return true
}

async function startDaemon(flags) {
  rmSync(log, { force: true })
  const pid = background(projectNode(), [join(dist, 'daemon.js'), ...flags], { log })
  const up = await until(30, async () => (await answers()) || (!exists(pid) && 'ended'))
  if (up !== true) throw new Stop(`the daemon did not start:\n${tail()}`)
}

/** Ends the daemon; with `all` its containers too. */
export function stopDaemon({ all = false } = {}) {
  const there = alive(readPid(), WORD)
  if (there) capture(projectNode(), [join(dist, 'daemon.js'), 'stop', ...(all ? ['--all'] : [])])
  rmSync(state, { force: true })
  return there
}

function answers() {
  return new Promise((resolve) => {
    const call = request({ socketPath: SOCKET, path: '/_ping', timeout: 3000 }, (reply) => {
      reply.resume()
      resolve(reply.statusCode === 200)
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(false))
    call.end()
  })
}

function readPid() {
  return Number(read(PIDFILE))
}

function readState() {
  const text = read(state)
  return text === '' ? undefined : JSON.parse(text)
}

function read(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

const tail = () => read(log).trim().split('\n').slice(-8).join('\n')
