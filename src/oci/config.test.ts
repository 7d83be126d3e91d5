import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatImageConfig, layerHistory, parseImageConfig } from './config.ts'
import { parseDiffId } from './digest.ts'
import type { ImageConfig } from './types.ts'

const DIFF = parseDiffId(`sha256:${'1f'.repeat(32)}`)

/** As Docker's classic builder writes it. */
const DOCKER = {
  architecture: 'amd64',
  comment: 'Imported from -',
  config: {
    Hostname: '',
    AttachStdin: false,
    Env: null,
    Cmd: ['sh'],
    Image: '',
    Volumes: { '/data': {} },
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
  },
  container_config: { Cmd: null },
  created: '2026-11-21T01:21:19.766025953Z',
  docker_version: '28.5.2',
  history: [
    { created: '2026-11-21T01:21:19Z', comment: 'Imported from -' },
    { created_by: 'CMD', empty_layer: true },
  ],
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [DIFF] },
}

const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

test('parseImageConfig() reads what Docker writes and keeps what it does not know', () => {
  const config = parseImageConfig(bytesOf(DOCKER))
  assert.deepEqual(config.config.Cmd, ['sh'])
  assert.equal(config.config.Entrypoint, null)
  assert.equal(config.config.Env, undefined)
  assert.deepEqual(config.config.Volumes, { '/data': {} })
  assert.deepEqual(Object.keys(config.other ?? {}).sort(), ['comment', 'container_config', 'docker_version'])
  assert.equal(layerHistory(config).length, 1)
  const again = JSON.parse(formatImageConfig(config).toString())
  assert.equal(again.docker_version, '28.5.2')
  assert.deepEqual(again.history, DOCKER.history)
  assert.deepEqual(again.rootfs, DOCKER.rootfs)
})

test('formatImageConfig() sorts the top and keeps the order of Docker inside', () => {
  const config: ImageConfig = {
    os: 'linux',
    architecture: 'amd64',
    config: {
      Labels: { b: '2', a: '1' },
      Cmd: ['sh'],
      Env: ['A=1'],
      User: 'me',
      Healthcheck: { Retries: 1, Test: ['NONE'] },
    },
    rootfs: { type: 'layers', diff_ids: [DIFF] },
    history: [{ empty_layer: false, created_by: 'x', created: 'now' }],
    other: { 'os.version': '1' },
  }
  const expected =
    `{"architecture":"amd64","config":{"User":"me","Env":["A=1"],"Cmd":["sh"],"Healthcheck":{"Test":["NONE"],"Retries":1},` +
    `"Labels":{"a":"1","b":"2"}},"history":[{"created":"now","created_by":"x","empty_layer":false}],"os":"linux",` +
    `"os.version":"1","rootfs":{"type":"layers","diff_ids":["${DIFF}"]}}`
  assert.equal(formatImageConfig(config).toString(), expected)
})

test('a config without history, config or variant is read', () => {
  const config = parseImageConfig(bytesOf({ rootfs: { type: 'layers', diff_ids: null }, variant: '', history: null }))
  assert.deepEqual(config, {
    architecture: '',
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  })
})

const REFUSED = [
  ['no rootfs', {}],
  ['another rootfs type', { rootfs: { type: 'tar', diff_ids: [] } }],
  ['a diff id that is none', { rootfs: { type: 'layers', diff_ids: ['x'] } }],
  ['a command that is a text', { config: { Cmd: 'sh' }, rootfs: { type: 'layers', diff_ids: [] } }],
  ['more history than layers', { history: [{ created_by: 'x' }], rootfs: { type: 'layers', diff_ids: [] } }],
] as const

for (const [what, document] of REFUSED) {
  test(`parseImageConfig() refuses ${what}`, () => {
    assert.throws(() => parseImageConfig(bytesOf(document)), { kind: 'invalid' })
  })
}

const texts = fc.array(fc.string(), { maxLength: 3 })
const labels = fc
  .array(fc.tuple(fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor')), fc.string()), { maxLength: 3 })
  .map((pairs): Record<string, string> => Object.fromEntries(pairs))
const configs: fc.Arbitrary<ImageConfig> = fc.record(
  {
    architecture: fc.string(),
    os: fc.string({ minLength: 1 }),
    created: fc.string(),
    author: fc.string(),
    config: fc.record(
      {
        Env: texts,
        Cmd: fc.option(texts),
        Entrypoint: fc.option(texts),
        User: fc.string(),
        Labels: labels,
        Shell: texts,
      },
      { requiredKeys: [], noNullPrototype: true },
    ),
    rootfs: fc.constant({ type: 'layers' as const, diff_ids: [DIFF, DIFF] }),
    history: fc.array(
      fc.record({ created_by: fc.string(), empty_layer: fc.boolean() }, { requiredKeys: [], noNullPrototype: true }),
      {
        maxLength: 2,
      },
    ),
    other: fc.constant({ docker_version: '1', Size: 3 }),
  },
  { requiredKeys: ['architecture', 'os', 'config', 'rootfs', 'history'], noNullPrototype: true },
)

test('a config survives formatting and parsing, and equal configs give equal bytes', () => {
  fc.assert(
    fc.property(configs, (config) => {
      const bytes = formatImageConfig(config)
      const parsed = parseImageConfig(bytes)
      assert.deepEqual(plain(parsed), plain(config))
      assert.deepEqual(formatImageConfig(parsed), bytes)
    }),
  )
})

/** The same value without odd prototypes. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}
