import { registryHeaders } from '#cli/credential'
import { command } from '#cli/kit'
import { familiarName, familiarReference, parseNamed, parseReference } from '#oci'
import type { DistributionJson } from '#wire'

export const remoteTags = command({
  usage: 'NAME',
  summary: 'List the tags that a repository has in its registry, without pulling',
  flags: {},
  min: 1,
  max: 1,
  async run(context, { args: [name = ''] }) {
    const repository = parseNamed(name)
    const headers = await registryHeaders(context, repository.domain)
    const path = `/x/remote/${encodeURIComponent(familiarName(repository))}/tags`
    const { Tags } = await context.client.get<{ readonly Tags: readonly string[] }>(path, { headers })
    context.io.stdout.write(Tags.map((tag) => `${tag}\n`).join(''))
    return 0
  },
})

export const remoteInspect = command({
  usage: 'NAME[:TAG|@DIGEST]',
  summary: 'Show digest, size and platforms of an image in its registry, without pulling',
  flags: {},
  min: 1,
  max: 1,
  async run(context, { args: [name = ''] }) {
    const reference = parseReference(name)
    const headers = await registryHeaders(context, reference.domain)
    const path = `/distribution/${encodeURIComponent(familiarReference(reference))}/json`
    const found = await context.client.get<DistributionJson>(path, { headers })
    context.io.stdout.write(`${JSON.stringify(found, undefined, 4)}\n`)
    return 0
  },
})
