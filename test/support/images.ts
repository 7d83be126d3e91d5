import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { testEnvironment } from './environment.ts'

/** Unpacks the root file system of busybox or debian into `folder`, for tests below images and registries. */
export function unpackRoot(image: 'busybox' | 'debian', folder: string): string {
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['--numeric-owner', '-xpf', testEnvironment()[image], '-C', folder])
  return folder
}

/** The busybox program of the image, which needs no libraries: a machine need not have one. */
export function copyBusybox(target: string): void {
  const program = execFileSync('tar', ['-xOf', testEnvironment().busybox, PROGRAM], { maxBuffer: 64 << 20 })
  writeFileSync(target, program)
  chmodSync(target, 0o755)
}

const PROGRAM = 'bin/busybox'
