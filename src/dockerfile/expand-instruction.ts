import { expand, ExpansionError } from './lexer.ts'
import type { LexOptions, Variables } from './lexer.ts'
import { sourceError } from './source.ts'
import type { Source, SourceRange } from './source.ts'
import type { ArgInstruction, CopyInstruction, FromInstruction, Instruction, Pair } from './types.ts'

/** What expansion needs to know of the file. */
export interface ExpandContext {
  readonly source: Source
  readonly escape: '\\' | '`'
}

/** An instruction with its values, and the variables that it asked for and that were not set. */
export interface Expanded<Node> {
  readonly instruction: Node
  readonly unset: readonly string[]
}

/**
 * Puts the values of variables into an instruction, where the reference says that it is done: ADD, COPY, ENV, LABEL,
 * EXPOSE, STOPSIGNAL, USER, VOLUME, WORKDIR, ARG; all others come back as they are. Values are looked up as they are
 * before the instruction, but for ARG, whose arguments see those before them. Throws `DockerfileError`.
 */
export function expandInstruction(
  instruction: Instruction,
  variables: Variables,
  context: ExpandContext,
): Expanded<Instruction> {
  const words = createExpander(variables, context, instruction.range)
  return { instruction: expandNode(instruction, words, variables), unset: words.unset }
}

/** FROM's image and platform; `variables` are the arguments before the first FROM and the platform's. */
export function expandFrom(
  from: FromInstruction,
  variables: Variables,
  context: ExpandContext,
): Expanded<FromInstruction> {
  const words = createExpander(variables, context, from.range)
  const image = words.one(from.image)
  const platform = from.platform === undefined ? {} : { platform: words.one(from.platform) }
  return { instruction: { ...from, image, ...platform }, unset: words.unset }
}

interface Expander {
  readonly unset: string[]
  one(word: string, options?: LexOptions & { readonly variables?: Variables }): string
  many(word: string): readonly string[]
}

function createExpander(variables: Variables, context: ExpandContext, range: SourceRange): Expander {
  const unset: string[] = []
  const lex = (word: string, lookup: Variables, options: LexOptions) => {
    try {
      const expansion = expand(word, lookup, { escape: context.escape, ...options })
      unset.push(...expansion.unset)
      return expansion
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error
      throw sourceError(context.source, range, `failed to process ${JSON.stringify(word)}: ${error.message}`)
    }
  }
  return {
    unset,
    one: (word, options = {}) => lex(word, options.variables ?? variables, options).text,
    many: (word) => lex(word, variables, {}).words,
  }
}

function expandNode(node: Instruction, words: Expander, variables: Variables): Instruction {
  if (node.kind === 'copy' || node.kind === 'add') return expandFiles(node, words)
  if (node.kind === 'arg') return expandArgs(node, words, variables)
  if (node.kind === 'env' || node.kind === 'label')
    return { ...node, pairs: node.pairs.map((pair) => expandPair(pair, words)) }
  if (node.kind === 'expose') return { ...node, values: node.values.flatMap((value) => words.many(value)) }
  if (node.kind === 'volume') return { ...node, values: node.values.map((value) => words.one(value)) }
  if (node.kind === 'workdir' || node.kind === 'user' || node.kind === 'stopsignal')
    return { ...node, value: words.one(node.value) }
  return node
}

function expandPair(pair: Pair, words: Expander): Pair {
  return { key: words.one(pair.key), value: words.one(pair.value) }
}

function expandArgs(node: ArgInstruction, words: Expander, variables: Variables): ArgInstruction {
  const before = new Map<string, string>()
  const lookup: Variables = (name) => before.get(name) ?? variables(name)
  const args = node.args.map((arg) => {
    const name = words.one(arg.name, { variables: lookup })
    if (arg.value === undefined) return { name }
    const value = words.one(arg.value, { variables: lookup })
    before.set(name, value)
    return { name, value }
  })
  return { ...node, args }
}

function expandFiles(node: CopyInstruction, words: Expander): CopyInstruction {
  const inline = node.inline.map((file) =>
    file.expand ? { ...file, text: words.one(file.text, { escape: '\\', plainQuotes: true }) } : file,
  )
  return {
    ...node,
    inline,
    sources: node.sources.map((source) => words.one(source)),
    destination: words.one(node.destination),
    excludes: node.excludes.map((pattern) => words.one(pattern)),
    ...(node.chown === undefined ? {} : { chown: words.one(node.chown) }),
    ...(node.chmod === undefined ? {} : { chmod: words.one(node.chmod) }),
    ...(node.checksum === undefined ? {} : { checksum: words.one(node.checksum) }),
  }
}
