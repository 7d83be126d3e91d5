import type { TestDaemon } from '#test/daemon'
import type { Shapes } from '#test/api-shapes'
import { ask, makeScene, shapesOf } from '#test/api-shapes'
import { startDaemon } from '#test/daemon'
import type { Docker } from '#test/docker'
import { dockerClient } from '#test/docker'
import { watchLeftovers } from '#test/leftovers'
import { ownMountNamespace } from '#test/mount-namespace'
import { temporary } from '#test/temporary'
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'

ownMountNamespace()

const folder = temporary()
const leftovers = watchLeftovers(folder.path)
let daemon: TestDaemon
let docker: Docker

before(async () => {
  daemon = await startDaemon({
    folder: folder.path,
    flags: ['--default-address-pool', 'base=10.213.0.0/16,size=24'],
  })
  docker = dockerClient(daemon.host)
  await docker.ok('pull', '-q', 'busybox')
})

after(async () => {
  await daemon.stop({ all: true })
  docker[Symbol.dispose]()
  await leftovers.assertNothingLeft()
  folder[Symbol.dispose]()
})

const DOCKER = JSON.parse(readFileSync(new URL('api-versions/docker-28.json', import.meta.url), 'utf8')) as Shapes

/** The end of docs/differs.md says why. */
const EXPECTED: readonly RegExp[] = [
  /^- info: Containerd\b(?!Commit)/,
  /^- info: KernelMemory(TCP)? /,
  /^- info: RuncCommit\.Expected /,
  /^- info: Runtimes\{\}\.status/,
  /^\+ .*SizeRw /,
]

/** «+ info: Key 1.41-1.51» where only mica has it, «-» where only Docker has it. */
function differences(own: Shapes, other: Shapes): readonly string[] {
  const linesOf = (shapes: Shapes): ReadonlySet<string> =>
    new Set(
      Object.entries(shapes).flatMap(([question, keys]) =>
        Object.entries(keys).map(([key, versions]) => `${question}: ${key} ${versions}`),
      ),
    )
  const [mine, theirs] = [linesOf(own), linesOf(other)]
  return [
    ...[...mine].filter((line) => !theirs.has(line)).map((line) => `+ ${line}`),
    ...[...theirs].filter((line) => !mine.has(line)).map((line) => `- ${line}`),
  ].sort((one, another) => (one.slice(2) < another.slice(2) ? -1 : 1))
}

test('answers have the keys of Docker 28 in every version from 1.41 to 1.51', async () => {
  await using scene = await makeScene(docker, daemon.socket, 'busybox')
  const found = differences(await shapesOf(daemon.socket, scene), DOCKER)
  const isExpected = (line: string): boolean => EXPECTED.some((pattern) => pattern.test(line))
  assert.deepEqual(
    found.filter((line) => !isExpected(line)),
    [],
  )
  const unused = EXPECTED.filter((pattern) => !found.some((line) => pattern.test(line)))
  assert.deepEqual(unused, [], 'these are not different any more')
})

test('versions that are too old, too new or none are refused in the words of Docker', async () => {
  const table: readonly (readonly [string, number, string])[] = [
    [
      'v1.20',
      400,
      'client version 1.20 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    ],
    ['v9.99', 400, 'client version 9.99 is too new. Maximum supported API version is 1.51'],
    ['v1.52', 400, 'client version 1.52 is too new. Maximum supported API version is 1.51'],
    ['vabc', 404, 'page not found'],
  ]
  for (const [version, status, message] of table) {
    const answer = await ask(daemon.socket, `/${version}/version`)
    assert.deepEqual([answer.status, messageOf(answer.text)], [status, message], version)
  }
})

/** Docker answers a version that is too old in plain text, all others as JSON. */
function messageOf(text: string): string {
  return text.startsWith('{') ? (JSON.parse(text) as { message: string }).message : text.trim()
}
