import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseTrigger } from '#dockerfile'
import type { RunInstruction } from '#dockerfile'
import type { RunConfig } from '#oci'
import { prepareCommand, runText } from './command.ts'
import type { StageState } from './state.ts'

function run(text: string): RunInstruction {
  const { instruction } = parseTrigger(text, 'test')
  assert.ok(instruction.kind === 'run')
  return instruction
}

function state(config: RunConfig, args: Readonly<Record<string, string>> = {}): StageState {
  return {
    platform: { os: 'linux', architecture: 'amd64' },
    config,
    history: [],
    args: new Map(Object.entries(args)),
    commandGiven: false,
    untouched: true,
    key: 'k',
  }
}

test('prepareCommand() puts a shell line behind the shell, and leaves the exec form alone', () => {
  assert.deepEqual(prepareCommand(state({}), run('RUN a $b'), {}).args, ['/bin/sh', '-c', 'a $b'])
  assert.deepEqual(prepareCommand(state({ Shell: ['/bin/bash', '-ec'] }), run('RUN a'), {}).args, [
    '/bin/bash',
    '-ec',
    'a',
  ])
  assert.deepEqual(prepareCommand(state({}), run('RUN ["a", "$b"]'), {}).args, ['a', '$b'])
})

test('prepareCommand() reads heredocs: the script itself, a file to run, or text for the shell', () => {
  const plain = prepareCommand(state({}), run('RUN <<-EOF\n\ta\n\tb\nEOF'), {})
  assert.deepEqual(plain.args, ['/bin/sh', '-c', 'a\nb\n'])
  const script = prepareCommand(state({}), run('RUN <<EOF\n#!/bin/x\nb\nEOF'), {})
  assert.deepEqual(script.args, ['/bin/sh', '-c', '/dev/pipes/EOF'])
  assert.deepEqual(script.script, { name: 'EOF', text: '#!/bin/x\nb\n' })
  const shell = prepareCommand(state({}), run('RUN cat <<A && cat <<B\n1\nA\n2\nB'), {})
  assert.deepEqual(shell.args, ['/bin/sh', '-c', 'cat <<A && cat <<B\n1\nA\n2\nB'])
})

test('prepareCommand() gives ENV, then arguments that ENV does not hide; proxies leave no trace', () => {
  const command = prepareCommand(state({ Env: ['A=env'] }, { Z: '1', B: '2', A: 'arg' }), run('RUN x'), {
    HTTP_PROXY: 'http://p',
    other: 'o',
  })
  assert.deepEqual(command.env, ['A=env', 'B=2', 'Z=1', 'HTTP_PROXY=http://p'])
  assert.equal(runText(command), '|2 B=2 Z=1 /bin/sh -c x')
})

test('prepareCommand() refuses what is not carried out yet, with its line', () => {
  const table = [
    ['RUN --mount=type=cache,target=/c x', 'RUN --mount=type=cache,target=/c is not carried out yet (line 1)'],
    ['RUN --security=insecure x', 'RUN --security=insecure is not carried out yet (line 1)'],
    ['RUN --network=host x', 'RUN --network=host is not carried out yet (line 1)'],
    ['RUN --device=a/b x', 'RUN --device=a/b is not carried out yet (line 1)'],
  ] as const
  for (const [text, message] of table)
    assert.throws(() => prepareCommand(state({}), run(text), {}), { kind: 'unsupported', message })
})
