import { EngineError, isKind } from '#base'
import { registryHeaders } from '#cli/credential'
import { command, flag } from '#cli/kit'
import { familiarReference, parseReference } from '#oci'
import type { RemoteManifestJson } from '#wire'

export const inspectManifest = command({
  usage: '[OPTIONS] MANIFEST',
  summary: 'Display an image manifest, or manifest list',
  flags: {
    insecure: flag.switch('Accepted for the sake of scripts: which registries do without TLS is set at the daemon'),
  },
  min: 1,
  max: 1,
  async run(context, { args: [name = ''] }) {
    const reference = parseReference(name)
    const headers = await registryHeaders(context, reference.domain)
    const path = `/x/remote/${encodeURIComponent(familiarReference(reference))}/manifest`
    const found = await context.client.get<RemoteManifestJson>(path, { headers }).catch((error: unknown) => {
      throw isKind(error, 'not-found') ? new EngineError('not-found', `no such manifest: ${name}`) : error
    })
    context.io.stdout.write(`${JSON.stringify(JSON.parse(found.Manifest), undefined, '\t')}\n`)
    return 0
  },
})
