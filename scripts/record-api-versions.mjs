// node scripts/record-api-versions.mjs --host unix:///path/docker.sock [--image busybox:1.32.0]
// Writes which keys a real Docker's answers have in each API version, for api-versions.test.ts to compare with.
// The image has to be there already. What is made is taken away again; whatever else the engine holds is left alone.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { makeScene, shapesOf } from '#test/api-shapes'
import { dockerClient } from '#test/docker'

const { values } = parseArgs({
  options: { host: { type: 'string' }, image: { type: 'string', default: 'busybox:1.32.0' } },
})
if (!values.host?.startsWith('unix://')) throw new Error('--host unix:///path/docker.sock is needed')
const socket = values.host.slice('unix://'.length)
using docker = dockerClient(values.host)
const scene = await makeScene(docker, socket, values.image)
try {
  const shapes = await shapesOf(socket, scene)
  const file = join(import.meta.dirname, '../test/conformance/api-versions/docker-28.json')
  writeFileSync(file, `${JSON.stringify(shapes, undefined, 1)}\n`)
  console.log(`${Object.values(shapes).reduce((sum, keys) => sum + Object.keys(keys).length, 0)} keys`)
} finally {
  await scene[Symbol.asyncDispose]()
}
