import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ImageDetails } from '#engine'
import { formatImageConfig, imageIdOf, parseDiffId, parseImageConfig, parseReference } from '#oci'
import { imageJson } from './image-inspect.ts'
import { parsePlatformParameter, requirePlatform } from './image-platform.ts'

/** What builders of old left in a config. */
const LEGACY = { Image: 'sha256:old', Hostname: 'h' }

const configBytes = formatImageConfig({
  architecture: 'arm',
  variant: 'v7',
  os: 'linux',
  created: '2026-01-02T03:04:05Z',
  config: { Cmd: ['sh'], Labels: { a: 'b' }, ...LEGACY },
  rootfs: { type: 'layers', diff_ids: [parseDiffId(`sha256:${'5e'.repeat(32)}`)] },
  history: [{ created_by: 'x', comment: 'said' }],
  other: { docker_version: '28.5', container: 'c1', container_config: { Hostname: 'c1' }, 'os.version': '10' },
})

const image: ImageDetails['image'] = {
  id: imageIdOf(configBytes),
  createdAt: 5_000_000_000n,
  taggedAt: 7_000_000_001n,
  names: [parseReference('app:1')],
  manifests: [],
  config: parseImageConfig(configBytes),
  configBytes,
}
const details: ImageDetails = { record: image, image, created: 1, size: 42, folders: ['/s/2/fs', '/s/1/fs'] }

const at = (minor: number) => imageJson(details, { major: 1, minor })

test('imageJson() says what is known of an image', () => {
  assert.deepEqual(at(51), {
    Id: image.id,
    RepoTags: ['app:1'],
    RepoDigests: [],
    Parent: '',
    Comment: 'said',
    Created: '2026-01-02T03:04:05Z',
    DockerVersion: '28.5',
    Author: '',
    Architecture: 'arm',
    Variant: 'v7',
    Os: 'linux',
    OsVersion: '10',
    Size: 42,
    GraphDriver: {
      Data: { LowerDir: '/s/1/fs', MergedDir: '/s/2/merged', UpperDir: '/s/2/fs', WorkDir: '/s/2/work' },
      Name: 'overlay2',
    },
    RootFS: { Type: 'layers', Layers: [`sha256:${'5e'.repeat(32)}`] },
    Metadata: { LastTagTime: '1970-01-01T00:00:07.000000001Z' },
    Config: {
      Cmd: ['sh'],
      Entrypoint: null,
      Env: null,
      Labels: { a: 'b' },
      OnBuild: null,
      User: '',
      Volumes: null,
      WorkingDir: '',
    },
  })
})

const MEMBERS = [
  [43, 'VirtualSize', true],
  [44, 'VirtualSize', false],
  [44, 'Container', true],
  [44, 'ContainerConfig', true],
  [45, 'Container', false],
  [45, 'ContainerConfig', false],
] as const

for (const [minor, member, has] of MEMBERS)
  test(`imageJson() ${has ? 'tells' : 'does not tell'} ${member} in version 1.${minor}`, () => {
    assert.equal(Object.hasOwn(at(minor), member), has)
  })

test('imageJson() has what only containers use up to version 1.49, and never what the config says of it', () => {
  assert.deepEqual([at(49).Config['Image'], at(49).Config['Hostname'], at(49).Config['Tty']], ['', '', false])
  assert.deepEqual(Object.keys(at(49).Config), Object.keys(at(49).Config).toSorted())
  assert.equal(Object.hasOwn(at(50).Config, 'Image'), false)
})

test('imageJson() of an image without layers and names has no folders and was never tagged', () => {
  const { taggedAt: _, ...untagged } = image
  const bare = imageJson({ ...details, record: { ...untagged, names: [] }, folders: [] }, { major: 1, minor: 51 })
  assert.deepEqual(bare.GraphDriver, { Data: null, Name: 'overlay2' })
  assert.deepEqual(bare.Metadata, { LastTagTime: '0001-01-01T00:00:00Z' })
})

const REFUSED = [
  ['{"os":"linux"}', 'both OS and Architecture must be provided'],
  ['xx', "failed to parse platform: invalid character 'x' looking for beginning of value"],
] as const

for (const [text, message] of REFUSED)
  test(`parsePlatformParameter() refuses ${text} in the words of Docker`, () => {
    assert.throws(() => parsePlatformParameter(text), { kind: 'invalid', message })
  })

test('requirePlatform() takes the image’s own platform and refuses another', () => {
  const ask = (text: string): void => requirePlatform('app', details, parsePlatformParameter(text))
  ask('{"os":"linux","architecture":"arm"}')
  ask('{"os":"linux","architecture":"arm","variant":"v7"}')
  assert.throws(() => ask('{"os":"linux","architecture":"arm64"}'), {
    kind: 'not-found',
    message:
      'image with reference app was found but its platform (linux/arm/v7) does not match the specified platform (linux/arm64)',
  })
  assert.throws(() => ask('{"os":"linux","architecture":"arm","variant":"v6"}'), { kind: 'not-found' })
})
