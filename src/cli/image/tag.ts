import { invalid, messageOf } from '#base'
import { command } from '#cli/kit'
import { familiarName, parseReference, type Reference } from '#oci'

export const tag = command({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  min: 2,
  max: 2,
  async run({ client }, { args: [source = '', target = ''] }) {
    const reference = parseTarget(target)
    await client.post(`/images/${encodeURIComponent(source)}/tag`, {
      query: { repo: familiarName(reference), tag: reference.tag },
    })
    return 0
  },
})

function parseTarget(text: string): Reference {
  try {
    const reference = parseReference(text)
    if (reference.digest === undefined) return reference
  } catch (error) {
    throw invalid(
      `Error parsing reference: ${JSON.stringify(text)} is not a valid repository/tag: ${messageOf(error)}`,
      { cause: error },
    )
  }
  throw invalid('refusing to create a tag with a digest reference')
}
