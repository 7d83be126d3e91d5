import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DockerfileError, parseDockerfile } from '#dockerfile'
import { globalArguments, platformArguments, unusedArguments } from './arguments.ts'
import { planBuild } from './plan.ts'

const HOST = { os: 'linux', architecture: 'amd64' }
const PLATFORM = platformArguments(HOST, { os: 'linux', architecture: 'arm', variant: 'v7' })

function plan(
  text: string,
  options: { target?: string; buildArgs?: Record<string, string>; labels?: Record<string, string> } = {},
) {
  const file = parseDockerfile(text)
  const globals = globalArguments(file, { buildArgs: options.buildArgs ?? {}, platform: PLATFORM })
  const target = options.target === undefined ? {} : { target: options.target }
  return planBuild(file, { ...target, globals, labels: options.labels ?? {} })
}

const STAGES = `ARG V=1
FROM base:$V AS one
RUN a
FROM one AS two
RUN b
FROM scratch AS unused
RUN c
FROM scratch
COPY --from=two /x /
COPY --from=other/image:2 /y /
`

test('planBuild() leaves out stages that the target does not need, and numbers the others in order', () => {
  const { stages, count, globals, target } = plan(STAGES)
  assert.deepEqual(
    stages.map((stage) => stage.index),
    [0, 1, 3],
  )
  assert.deepEqual(
    globals.map((step) => step.number),
    [1],
  )
  assert.deepEqual(
    stages.map((stage) => stage.steps.map((step) => step.number)),
    [
      [2, 3],
      [4, 5],
      [6, 7, 8],
    ],
  )
  assert.deepEqual(
    stages.map((stage) => stage.needs),
    [[], [0], [1]],
  )
  assert.deepEqual([count, target], [8, 3])
})

test('planBuild() takes the target by name or number', () => {
  assert.deepEqual(
    plan(STAGES, { target: 'ONE' }).stages.map((stage) => stage.index),
    [0],
  )
  assert.deepEqual(
    plan(STAGES, { target: '1' }).stages.map((stage) => stage.index),
    [0, 1],
  )
  assert.throws(() => plan(STAGES, { target: 'nine' }), /target stage "nine" could not be found/)
})

test('planBuild() counts the labels of the request as one more step', () => {
  assert.equal(plan('FROM a', { labels: { a: 'b' } }).count, 2)
})

test('FROM takes arguments of the global scope and of the platform', () => {
  assert.deepEqual(plan(STAGES, { buildArgs: { V: '9' } }).stages[0]?.origin, { kind: 'image', name: 'base:9' })
  assert.deepEqual(plan('FROM --platform=$BUILDPLATFORM a$TARGETVARIANT').stages[0]?.origin, {
    kind: 'image',
    name: 'av7',
    platform: 'linux/amd64',
  })
})

test('planBuild() refuses bases that cannot be', () => {
  const table = [
    ['FROM $NO', 'base name ($NO) should not be blank'],
    ['FROM ${X:?y}', 'failed to process "${X:?y}": X: y'],
    ['FROM a\nCOPY --from=5 x /', 'invalid from flag value 5: index out of bounds'],
  ] as const
  for (const [text, summary] of table)
    assert.throws(
      () => plan(text),
      (error) => error instanceof DockerfileError && error.summary === summary,
      text,
    )
})

test('globalArguments() sees those before, and given values go first', () => {
  const file = parseDockerfile('ARG A=1\nARG B=$A-x C\nFROM a')
  const values = (buildArgs: Record<string, string>) => {
    const all = globalArguments(file, { buildArgs, platform: new Map() })
    return Object.fromEntries(all)
  }
  assert.deepEqual(values({}), { A: '1', B: '1-x' })
  assert.deepEqual(values({ A: '2', C: 'c' }), { A: '2', B: '2-x', C: 'c' })
})

test('unusedArguments() names what no ARG asks for, but for predefined ones', () => {
  const file = parseDockerfile('ARG G\nFROM a\nARG S\n')
  assert.deepEqual(
    unusedArguments(file, { G: '1', S: '1', z: '1', b: '1', http_proxy: '1', BUILDKIT_INLINE_CACHE: '1' }),
    ['b', 'z'],
  )
})
