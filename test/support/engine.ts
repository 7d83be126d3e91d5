import { execFileSync } from 'node:child_process'
import { createReadStream, mkdirSync, openSync, symlinkSync, writeFileSync } from 'node:fs'
import { openEngine } from '#engine'
import type { CreateRequest, Engine } from '#engine'
import { parseReference } from '#oci'
import type { RunConfig } from '#oci'
import { copyBusybox } from './images.ts'
import type { Temporary } from './temporary.ts'

/** An engine of the test's own, whose «host» is the test's mount namespace. */
export async function testEngine(folder: Temporary, log: string[] = []): Promise<Engine> {
  const host = [openSync('/proc/self/ns/mnt', 'r'), openSync('/', 'r')]
  return await openEngine({
    version: '0.0.0',
    dataRoot: folder.join('data'),
    execRoot: folder.join('exec'),
    mirrors: [],
    insecureRegistries: [],
    proxy: {},
    logLevel: 'info',
    workerEntry: new URL('../../src/bin/worker.ts', import.meta.url),
    switchboardEntry: new URL('../../src/bin/switchboard.ts', import.meta.url),
    hostMounts: host.join(':'),
    writeLog: (line) => log.push(line),
    path: process.env['PATH'] ?? '',
  })
}

const APPLETS =
  'sh cat echo sleep id env ls true false seq stty tty mount kill hostname touch mkdir rm ln pwd wc tr head dd yes stat'

/** Makes an image of the machine's busybox: users, /tmp, and a folder /data with a file. */
export async function importBusybox(engine: Engine, folder: Temporary, config: RunConfig = {}): Promise<void> {
  const root = folder.join('image')
  for (const name of ['bin', 'etc', 'tmp', 'root', 'data']) mkdirSync(`${root}/${name}`, { recursive: true })
  copyBusybox(`${root}/bin/busybox`)
  for (const name of APPLETS.split(' ')) symlinkSync('busybox', `${root}/bin/${name}`)
  writeFileSync(`${root}/etc/passwd`, 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n')
  writeFileSync(`${root}/etc/group`, 'root:x:0:\nwheel:x:10:root,user\nuser:x:1000:\n')
  writeFileSync(`${root}/data/seed`, 'from the image\n')
  execFileSync('tar', ['-C', root, '-cf', folder.join('image.tar'), '--numeric-owner', '.'])
  await engine.images.transfer.importRoot(createReadStream(folder.join('image.tar')), {
    name: parseReference('busybox'),
    changes: (old) => ({ ...old, Cmd: ['/bin/sh'], ...config }),
  })
}

/** A request of `docker create` with nothing special. */
export function createRequest(command: readonly string[], more: Partial<CreateRequest> = {}): CreateRequest {
  return {
    image: 'busybox',
    command,
    env: [],
    labels: {},
    tty: false,
    openStdin: false,
    stdinOnce: false,
    attach: { stdin: false, stdout: true, stderr: true },
    exposedPorts: [],
    volumes: [],
    networkMode: 'none',
    mounts: [],
    networks: [],
    ports: [],
    publishAll: false,
    links: [],
    dns: { servers: [], search: [], options: [] },
    extraHosts: [],
    autoRemove: false,
    init: false,
    privileged: false,
    capAdd: [],
    capDrop: [],
    readonlyRoot: false,
    asGiven: { config: {}, hostConfig: {} },
    ...more,
  }
}
