import { FUNCTION_NAMES } from './functions.ts'
import { lexError, type Token, type TokenKind, tokenize } from './lexer.ts'
import type { Branch, Command, Node, Operand, Pipe } from './nodes.ts'
import { parseConstant } from './constant.ts'
import type { TemplateError } from './error.ts'

export interface ParsedTemplate {
  readonly text: string
  readonly nodes: readonly Node[]
  /** Of `define` and `block`. */
  readonly defined: ReadonlyMap<string, readonly Node[]>
}

/** Throws a TemplateError where the text is no template. */
export function parse(text: string): ParsedTemplate {
  const parser = new Parser(text)
  const { nodes } = parser.list(['end'])
  return { text, nodes, defined: parser.defined }
}

/** What ends a list: the end of the text, or `{{end}}` and `{{else …}}`. */
type Ending = 'end' | 'close' | 'else'

class Parser {
  readonly defined = new Map<string, readonly Node[]>()
  readonly #text: string
  readonly #tokens: readonly Token[]
  #next = 0
  #variables: string[] = ['$']
  #ranges = 0

  constructor(text: string) {
    this.#text = text
    this.#tokens = tokenize(text)
  }

  /** Nodes up to one of these endings; its braces are read too, but not those of `{{else`. */
  list(endings: readonly Ending[]): { readonly nodes: readonly Node[]; readonly ending: Ending } {
    const nodes: Node[] = []
    for (;;) {
      const token = this.#take()
      if (token.kind === 'text') nodes.push({ kind: 'text', text: token.text, at: token.at })
      else if (token.kind === 'end') {
        if (endings.includes('end')) return { nodes, ending: 'end' }
        throw this.#fail(token, 'unexpected EOF')
      } else {
        const ending = this.#ending()
        if (ending !== undefined && endings.includes(ending)) return { nodes, ending }
        if (ending !== undefined)
          throw this.#fail(this.#peek(), `unexpected {{${ending === 'close' ? 'end' : 'else'}}}`)
        const node = this.#action(token)
        if (node !== undefined) nodes.push(node)
      }
    }
  }

  /** Behind «{{»: reads `end` or `else`, where that stands there. */
  #ending(): Ending | undefined {
    const { kind, text } = this.#peek()
    if (kind !== 'keyword' || (text !== 'end' && text !== 'else')) return undefined
    this.#take()
    if (text === 'else') return 'else'
    this.#expect('right', 'end')
    return 'close'
  }

  #action(left: Token): Node | undefined {
    const token = this.#peek()
    if (token.kind !== 'keyword' || token.text === 'nil') return this.#plain(left)
    this.#take()
    switch (token.text) {
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(token.text, token)
      case 'define':
        return this.#define()
      case 'block':
      case 'template':
        return this.#template(token)
      default:
        return this.#jump(token)
    }
  }

  #plain(left: Token): Node {
    const pipe = this.#pipe('command', 'right')
    return { kind: 'action', pipe, at: left.at }
  }

  #jump(token: Token): Node {
    this.#expect('right', `{{${token.text}}}`)
    if (this.#ranges === 0) throw this.#fail(token, `{{${token.text}}} outside {{range}}`)
    return { kind: token.text === 'break' ? 'break' : 'continue', at: token.at }
  }

  #branch(kind: Branch['kind'], token: Token): Node {
    const known = this.#variables.length
    const pipe = this.#pipe(kind, 'right')
    if (kind === 'range') this.#ranges += 1
    const { nodes: list, ending } = this.list(['close', 'else'])
    if (kind === 'range') this.#ranges -= 1
    const otherwise = ending === 'else' ? this.#otherwise(kind) : []
    this.#variables.length = known
    return { kind, pipe, list, otherwise, at: token.at }
  }

  /** Behind `else`: a list, or one more `if` or `with` that shares the end. */
  #otherwise(kind: Branch['kind']): readonly Node[] {
    const token = this.#peek()
    if (kind !== 'range' && token.kind === 'keyword' && token.text === kind) {
      this.#take()
      return [this.#branch(kind, token)]
    }
    this.#expect('right', 'else')
    return this.list(['close']).nodes
  }

  #define(): undefined {
    const name = this.#name('define')
    this.#expect('right', 'define clause')
    this.defined.set(name, this.#apart())
  }

  #template(token: Token): Node {
    // Where it is not defined, its name is pointed at.
    const { at } = this.#peek()
    const name = this.#name(token.text)
    const empty = this.#peek().kind === 'right'
    if (empty) this.#take()
    const pipe = empty ? undefined : this.#pipe(token.text, 'right')
    if (token.text === 'block') this.defined.set(name, this.#apart())
    return { kind: 'template', name, at, ...(pipe && { pipe }) }
  }

  /** The body of another template: it sees no variables of this one. */
  #apart(): readonly Node[] {
    const [variables, ranges] = [this.#variables, this.#ranges]
    this.#variables = ['$']
    this.#ranges = 0
    const { nodes } = this.list(['close'])
    this.#variables = variables
    this.#ranges = ranges
    return nodes
  }

  #name(context: string): string {
    const token = this.#take()
    if (token.kind !== 'string') throw this.#unexpected(token, `${context} clause`)
    return String(parseConstant(this.#text, token))
  }

  #pipe(context: string, closing: 'right' | 'close'): Pipe {
    const { at } = this.#peek()
    const declared = this.#declaration(context)
    const commands: Command[] = []
    for (;;) {
      const token = this.#peek()
      if (token.kind === closing) break
      const command = this.#command(context)
      commands.push(command)
      const after = this.#peek()
      if (after.kind === closing) break
      if (after.kind !== 'pipe') throw this.#unexpected(after, context === 'command' ? 'operand' : context)
      this.#take()
      if (this.#peek().kind === closing) throw this.#fail(after, `missing value for ${context}`)
    }
    this.#checkPipe(commands, context)
    this.#take()
    return { at, ...declared, commands }
  }

  #checkPipe(commands: readonly Command[], context: string): void {
    if (commands.length === 0) throw this.#fail(this.#peek(), `missing value for ${context}`)
    for (const [index, { args }] of commands.entries()) {
      const kind = args[0]?.kind
      if (index > 0 && (kind === 'constant' || kind === 'dot' || kind === 'nil'))
        throw this.#fail(this.#peek(), `non executable command in pipeline stage ${index + 1}`)
    }
  }

  /** `$x :=`, `$x =`, and of range `$i, $x :=`. */
  #declaration(context: string): Pick<Pipe, 'variables' | 'assigns'> {
    const found: Token[] = []
    const begin = this.#next
    while (this.#peek().kind === 'variable' && found.length < 2) {
      found.push(this.#take())
      const after = this.#peek()
      if (after.kind === 'declare' || after.kind === 'assign') {
        this.#take()
        const names = found.map(({ text }) => text)
        if (after.kind === 'declare') this.#variables.push(...names)
        else for (const token of found) this.#checkVariable(token)
        return { variables: names, assigns: after.kind === 'assign' }
      }
      if (after.kind !== 'comma' || context !== 'range') break
      this.#take()
    }
    this.#next = begin
    return { variables: [], assigns: false }
  }

  #command(context: string): Command {
    const { at } = this.#peek()
    const args: Operand[] = []
    for (;;) {
      const token = this.#peek()
      if (token.kind === 'right' || token.kind === 'close' || token.kind === 'pipe') break
      if (args.length > 0 && !token.spaced) throw this.#unexpected(token, 'operand')
      const operand = this.#operand()
      if (operand === undefined) throw this.#unexpected(token, args.length > 0 ? 'operand' : context)
      args.push(operand)
    }
    if (args.length === 0) throw this.#fail(this.#peek(), `missing value for ${context}`)
    return { at, args }
  }

  #operand(): Operand | undefined {
    const term = this.#term()
    const first = this.#peek()
    if (term === undefined || first.kind !== 'field' || first.spaced) return term
    const names: string[] = []
    while (this.#peek().kind === 'field' && !this.#peek().spaced) names.push(this.#take().text.slice(1))
    const { at } = first
    if (term.kind === 'field') return { ...term, at, names: [...term.names, ...names] }
    if (term.kind === 'variable') return { ...term, at, names }
    if (term.kind === 'constant' || term.kind === 'nil' || term.kind === 'dot')
      throw this.#fail(first, `unexpected . after term ${JSON.stringify(this.#text.slice(term.at, first.at))}`)
    return { kind: 'chain', operand: term, names, at }
  }

  #term(): Operand | undefined {
    const token = this.#peek()
    const { at, text, kind } = token
    if (kind === 'dot') return { kind, at: this.#take().at }
    if (kind === 'field') return { kind, names: [this.#take().text.slice(1)], at }
    if (kind === 'open') {
      this.#take()
      return { kind: 'pipe', pipe: this.#pipe('parenthesized pipeline', 'close'), at }
    }
    if (kind === 'variable') {
      this.#checkVariable(this.#take())
      return { kind, name: text, names: [], at }
    }
    if (kind !== 'word') return this.#constant(token)
    if (!FUNCTION_NAMES.has(text)) throw this.#fail(token, `function ${JSON.stringify(text)} not defined`)
    this.#take()
    return { kind: 'function', name: text, at }
  }

  #constant(token: Token): Operand | undefined {
    const { at, text, kind } = token
    if (kind === 'keyword' && text === 'nil') {
      this.#take()
      return { kind: 'nil', at }
    }
    if (!['string', 'number', 'char', 'bool'].includes(kind)) return undefined
    this.#take()
    return { kind: 'constant', value: parseConstant(this.#text, token), text, at }
  }

  #checkVariable(token: Token): void {
    if (!this.#variables.includes(token.text))
      throw this.#fail(token, `undefined variable ${JSON.stringify(token.text)}`)
  }

  #peek(): Token {
    return this.#tokens[this.#next] ?? { kind: 'end', text: '', at: this.#text.length, spaced: false }
  }

  #take(): Token {
    const token = this.#peek()
    this.#next += 1
    return token
  }

  #expect(kind: TokenKind, context: string): void {
    const token = this.#take()
    if (token.kind !== kind) throw this.#unexpected(token, context)
  }

  #unexpected(token: Token, context: string): TemplateError {
    if (token.kind === 'end') return this.#fail(token, 'unexpected EOF')
    const text = token.kind === 'keyword' ? `<${token.text}>` : JSON.stringify(token.text)
    return this.#fail(token, `unexpected ${text} in ${context}`)
  }

  #fail(token: Token, message: string): TemplateError {
    return lexError(this.#text, token.at, message)
  }
}
