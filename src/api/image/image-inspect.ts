import type { ImageDetails } from '#engine'
import { type ApiVersion, compareVersions, type ImageJson } from '#wire'
import { timeText } from '#api/exchange'
import { repoDigests, repoTags } from './image-view.ts'

/** Up to here `VirtualSize` repeats the size. */
const NO_VIRTUAL_SIZE_SINCE = { major: 1, minor: 44 }
/** Up to here the container that an image was committed from is told. */
const NO_CONTAINER_SINCE = { major: 1, minor: 45 }
/** Up to here the config has members that only containers use. */
const SHORT_CONFIG_SINCE = { major: 1, minor: 50 }

/** GET /images/{name}/json, as clients of that version expect it. */
export function imageJson(details: ImageDetails, version: ApiVersion): ImageJson {
  const { record, image, size } = details
  const { config } = image
  const before = (since: ApiVersion): boolean => compareVersions(version, since) < 0
  return {
    Id: record.id,
    RepoTags: repoTags(details),
    RepoDigests: repoDigests(details),
    Parent: record.parent ?? '',
    Comment: config.history.at(-1)?.comment ?? '',
    Created: config.created ?? timeText(0n),
    ...(before(NO_CONTAINER_SINCE) && madeOf(config.other)),
    DockerVersion: textOf(config.other?.['docker_version']),
    Author: config.author ?? '',
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    ...osVersionOf(config.other),
    Size: size,
    ...(before(NO_VIRTUAL_SIZE_SINCE) && { VirtualSize: size }),
    GraphDriver: { Data: driverData(details.folders), Name: 'overlay2' },
    RootFS: { Type: 'layers', ...(config.rootfs.diff_ids.length > 0 && { Layers: config.rootfs.diff_ids }) },
    Metadata: { LastTagTime: timeText(record.taggedAt ?? 0n) },
    Config: runConfig(config.config, before(SHORT_CONFIG_SINCE)),
  }
}

const IMAGE_CONFIG = {
  Cmd: null,
  Entrypoint: null,
  Env: null,
  Labels: null,
  OnBuild: null,
  User: '',
  Volumes: null,
  WorkingDir: '',
}

const CONTAINER_CONFIG = {
  AttachStderr: false,
  AttachStdin: false,
  AttachStdout: false,
  Domainname: '',
  Hostname: '',
  Image: '',
  OpenStdin: false,
  StdinOnce: false,
  Tty: false,
}

function madeOf(other: Readonly<Record<string, unknown>> = {}): Pick<ImageJson, 'Container' | 'ContainerConfig'> {
  const container = textOf(other['container'])
  const told = other['container_config']
  const own = typeof told === 'object' && told !== null ? told : {}
  return {
    ...(container !== '' && { Container: container }),
    ContainerConfig: { ...CONTAINER_CONFIG, ...IMAGE_CONFIG, ...own },
  }
}

function osVersionOf(other: Readonly<Record<string, unknown>> = {}): Pick<ImageJson, 'OsVersion'> {
  const version = textOf(other['os.version'])
  return version === '' ? {} : { OsVersion: version }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** The folders of its layers, topmost first, under Docker's names; `work` and `merged` are there only while it is mounted. */
function driverData(folders: readonly string[]): Readonly<Record<string, string>> | null {
  const [upper, ...lowers] = folders
  if (upper === undefined) return null
  const beside = (name: string): string => upper.replace(/[^/]*$/, name)
  return {
    ...(lowers.length > 0 && { LowerDir: lowers.join(':') }),
    MergedDir: beside('merged'),
    UpperDir: upper,
    WorkDir: beside('work'),
  }
}

/** What only containers use says nothing in an image, whatever the config has there. */
function runConfig(own: object, whole: boolean): ImageJson['Config'] {
  const kept = Object.entries(own).filter(([name]) => !Object.hasOwn(CONTAINER_CONFIG, name))
  const all = { ...IMAGE_CONFIG, ...Object.fromEntries(kept), ...(whole && CONTAINER_CONFIG) }
  return Object.fromEntries(Object.entries(all).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
