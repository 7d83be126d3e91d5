import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { testEnvironment } from './environment.ts'

/** Unpacks the root file system of busybox or debian into `folder`, for tests below images and registries. */
export function unpackRoot(image: 'busybox' | 'debian', folder: string): string {
  mkdirSync(folder, { recursive: true })
  execFileSync('tar', ['--numeric-owner', '-xpf', testEnvironment()[image], '-C', folder])
  return folder
}
