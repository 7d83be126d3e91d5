import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'
import { completionScripts } from './completion-scripts.ts'

/** The words as bash takes them apart, the line as typed where it ends in the middle, what is then offered. */
const CASES: readonly (readonly [words: readonly string[], line: string, offered: string])[] = [
  [['mica', 'run', 'busyb'], 'mica run busyb', 'busybox:1.32.0 busybox:latest'],
  [['mica', 'run', 'busybox', ':'], 'mica run busybox:', '1.32.0 latest'],
  [['mica', 'run', 'busybox', ':', '1.3'], 'mica run busybox:1.3', '1.32.0'],
  [['mica', 'run', 'a', ':', 'b', 'busybox', ':', 'l'], 'mica run a:b busybox:l', 'latest'],
  [['mica', 'run', 'nosuch', ':', ''], 'mica run nosuch: ', 'busybox:1.32.0 busybox:latest'],
]

/** Stands for the command: its last word is what is being typed. */
const COMMAND = `mica() {
  local image
  for image in busybox:1.32.0 busybox:latest; do [[ $image == "\${!#}"* ]] && echo "$image"; done
  echo :4
}
`

for (const [words, line, offered] of CASES)
  test(`the script for bash offers «${offered}» for «${line}»`, () => {
    const asked = 'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _mica; echo "${COMPREPLY[*]}"'
    const script = `${COMMAND}${completionScripts['bash'] ?? ''}\nCOMP_POINT=\${#COMP_LINE}\n${asked}`
    const env = { PATH: process.env['PATH'], COMP_LINE: line }
    assert.equal(
      execFileSync('bash', ['--norc', '-c', script, 'bash', ...words], { env, encoding: 'utf8' }),
      `${offered}\n`,
    )
  })
