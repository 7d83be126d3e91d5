import * as v from 'valibot'
import { check, flag, labels, number, text, texts } from './schema.ts'

const EndpointSchema = v.object({
  IPAMConfig: v.nullish(v.object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts })),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: labels,
  GwPriority: number,
})

const NetworkSchema = v.object({
  Name: text,
  Driver: text,
  Scope: text,
  EnableIPv4: v.nullish(v.boolean()),
  EnableIPv6: v.nullish(v.boolean()),
  IPAM: v.nullish(
    v.object({
      Driver: text,
      Options: labels,
      Config: v.nullish(
        v.array(v.object({ Subnet: text, IPRange: text, Gateway: text, AuxiliaryAddresses: labels })),
        [],
      ),
    }),
  ),
  Internal: flag,
  Attachable: flag,
  Ingress: flag,
  ConfigOnly: flag,
  ConfigFrom: v.nullish(v.object({ Network: text })),
  Options: labels,
  Labels: labels,
})

const ConnectSchema = v.object({ Container: text, EndpointConfig: v.nullish(EndpointSchema) })
const DisconnectSchema = v.object({ Container: text, Force: flag })

export type EndpointBody = v.InferOutput<typeof EndpointSchema>
export type NetworkBody = v.InferOutput<typeof NetworkSchema>

/** Each throws `invalid` with the member's name. */
export const parseEndpointBody = (value: unknown, name: string): EndpointBody =>
  check(EndpointSchema, value ?? {}, name)
export const parseNetworkBody = (value: unknown): NetworkBody => check(NetworkSchema, value ?? {})
export const parseConnectBody = (value: unknown): v.InferOutput<typeof ConnectSchema> =>
  check(ConnectSchema, value ?? {})
export const parseDisconnectBody = (value: unknown): v.InferOutput<typeof DisconnectSchema> =>
  check(DisconnectSchema, value ?? {})
