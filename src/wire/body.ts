import * as v from 'valibot'
import { check, entries, flag, labels, number, object, set, text, texts, words } from './schema.ts'

/** Rows and columns. */
const consoleSize = v.nullish(v.tuple([v.number(), v.number()]))
const HealthcheckSchema = v.object({
  Test: v.optional(v.nullable(v.array(v.string())), []),
  Interval: v.optional(v.number()),
  Timeout: v.optional(v.number()),
  StartPeriod: v.optional(v.number()),
  StartInterval: v.optional(v.number()),
  Retries: v.optional(v.number()),
})

const ConfigSchema = v.object({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: set,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: texts,
  Cmd: words,
  Entrypoint: words,
  Healthcheck: v.nullish(HealthcheckSchema),
  Image: text,
  Volumes: set,
  WorkingDir: text,
  Labels: labels,
  StopSignal: text,
  StopTimeout: number,
  MacAddress: text,
  NetworkDisabled: flag,
})

const MountSchema = v.object({
  Type: v.nullish(v.string(), ''),
  Source: text,
  Target: v.nullish(v.string(), ''),
  ReadOnly: flag,
  BindOptions: v.nullish(object),
  VolumeOptions: v.nullish(object),
  TmpfsOptions: v.nullish(object),
  ImageOptions: v.nullish(object),
})

const HostConfigSchema = v.object({
  Binds: texts,
  NetworkMode: text,
  AutoRemove: flag,
  CapAdd: texts,
  CapDrop: texts,
  Privileged: flag,
  ReadonlyRootfs: flag,
  ShmSize: number,
  ConsoleSize: consoleSize,
  LogConfig: v.nullish(v.object({ Type: text, Config: labels })),
  Tmpfs: labels,
  Mounts: v.nullish(v.array(MountSchema), []),
  Init: v.nullish(v.boolean(), false),
  PortBindings: v.nullish(v.record(v.string(), v.nullish(v.array(v.object({ HostIp: text, HostPort: text })), [])), {}),
  PublishAllPorts: flag,
  Links: texts,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  VolumesFrom: texts,
  VolumeDriver: text,
})

const ExecSchema = v.object({
  User: text,
  Privileged: flag,
  Tty: flag,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  DetachKeys: text,
  Env: texts,
  WorkingDir: text,
  Cmd: words,
})

const ExecStartSchema = v.object({
  Detach: flag,
  Tty: flag,
  ConsoleSize: consoleSize,
})

const VolumeSchema = v.object({ Name: text, Driver: text, DriverOpts: labels, Labels: labels })

const AuthSchema = v.object({
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  identitytoken: v.optional(v.string()),
  registrytoken: v.optional(v.string()),
  serveraddress: v.optional(v.string()),
})

export type ConfigBody = v.InferOutput<typeof ConfigSchema>
export type HostConfigBody = v.InferOutput<typeof HostConfigSchema>
export type MountBody = v.InferOutput<typeof MountSchema>
export type ExecBody = v.InferOutput<typeof ExecSchema>
export type ExecStartBody = v.InferOutput<typeof ExecStartSchema>
export type VolumeBody = v.InferOutput<typeof VolumeSchema>
/** Credentials as clients send them (`X-Registry-Auth`, `X-Registry-Config`, POST /auth). */
export type AuthBody = v.InferOutput<typeof AuthSchema>

/** Each throws `invalid` with the member's name. What the schema does not name is left out. */
export const parseConfigBody = (value: unknown): ConfigBody => check(ConfigSchema, value)
export const parseHostConfigBody = (value: unknown): HostConfigBody =>
  check(HostConfigSchema, value ?? {}, 'HostConfig')
export const parseExecBody = (value: unknown): ExecBody => check(ExecSchema, value ?? {})
export const parseExecStartBody = (value: unknown): ExecStartBody => check(ExecStartSchema, value ?? {})
export const parseVolumeBody = (value: unknown): VolumeBody => check(VolumeSchema, value ?? {})

/** A JSON object, as a record. */
export function parseObjectBody(value: unknown, name = ''): Readonly<Record<string, unknown>> {
  return check(object, value ?? {}, name)
}

/** A JSON map of strings (labels); null is none. */
export function parseStringMap(value: unknown, name: string): Readonly<Record<string, string>> {
  return check(labels, value, name)
}

/** Build arguments: null means «take it from nowhere». */
export function parseNullableStringMap(value: unknown, name: string): Readonly<Record<string, string | null>> {
  const values = v.pipe(
    entries,
    v.array(v.tuple([v.string(), v.nullable(v.string())])),
    v.transform((pairs): Readonly<Record<string, string | null>> => Object.fromEntries(pairs)),
  )
  return check(v.nullish(values, {}), value, name)
}

export const parseAuthBody = (value: unknown): AuthBody => check(AuthSchema, value ?? {})

/** `X-Registry-Auth`: base64url of a JSON object; no credentials where it is absent or cannot be read. */
export function parseAuthHeader(header: string | undefined): AuthBody {
  const found = v.safeParse(AuthSchema, decodeHeader(header))
  return found.success ? found.output : {}
}

/** `X-Registry-Config`: base64url of a map from host to credentials; as for `X-Registry-Auth`. */
export function parseAuthConfigHeader(header: string | undefined): Readonly<Record<string, AuthBody>> {
  const found = v.safeParse(v.record(v.string(), AuthSchema), decodeHeader(header))
  return found.success ? found.output : {}
}

function decodeHeader(header: string | undefined): unknown {
  try {
    const value: unknown = JSON.parse(Buffer.from(header ?? '', 'base64url').toString() || '{}')
    return value ?? {}
  } catch (error) {
    if (error instanceof SyntaxError) return {}
    throw error
  }
}
