import { mkdtempSync } from 'node:fs'
import { diagnose, diagnoseApart } from '#engine'
import type { Finding } from '#engine'
import { enterOwnNamespace, inheritedHost } from '#engine/namespace'
import type { DaemonOptions } from './daemon-options.ts'
import { engineConfigOf } from './engine-config.ts'

/** As root it goes on inside a mount namespace of its own, below a temporary exec root: a daemon would live so too. */
export async function printDiagnosis(options: DaemonOptions): Promise<void> {
  const inside = inheritedHost(process.env) !== undefined
  if (!inside && process.geteuid?.() === 0) {
    const execRoot = mkdtempSync('/run/mica-doctor-')
    enterOwnNamespace(execRoot, [...process.execArgv, ...process.argv.slice(1), '--exec-root', execRoot], process.env)
  }
  const findings = inside ? await diagnoseApart(engineConfigOf(options)) : await diagnose(engineConfigOf(options))
  process.stdout.write(
    options.json ? `${JSON.stringify(findings)}\n` : findings.map((finding) => `${lineOf(finding)}\n`).join(''),
  )
  if (findings.some((finding) => finding.essential && !finding.ok)) process.exitCode = 1
}

function lineOf(finding: Finding): string {
  const mark = finding.ok ? 'ok  ' : finding.essential ? 'FAIL' : 'warn'
  return `${mark}  ${finding.name.padEnd(13)} ${finding.text}${finding.cure === undefined ? '' : `\n      cure:         ${finding.cure}`}`
}
