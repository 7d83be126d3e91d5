import { placeOf, TemplateError } from './error.ts'
import { ArgumentError, callFunction, itemsOf } from './functions.ts'
import {
  type Branch,
  type Command,
  type Node,
  type Operand,
  type Pipe,
  writeCommand,
  writeOperand,
  writePipe,
} from './nodes.ts'
import type { ParsedTemplate } from './parser.ts'
import { showValue } from './show.ts'
import { asOpen, asTexts, isMap, isOpen, isTrue, isView, NIL_LIST, NIL_MAP, NIL_POINTER, typeOf } from './value.ts'

export interface ExecuteOptions {
  /** Docker's functions leave their values as they are: for the headings of a table. */
  readonly heading?: boolean
  /** A field that a map has not is an error, not «no value». */
  readonly strict?: boolean
  /** What null, or no such field, means where a field has that name; undefined for what it says. */
  readonly nullOf?: (field: string, absent: boolean) => NullKind | undefined
  /** Maps of text by the name of their field: what they do not hold is an empty text. */
  readonly texts?: ReadonlySet<string>
  /** Other maps by the name of their field whose keys are the user's: what they do not hold is «no value». */
  readonly open?: ReadonlySet<string>
}

type NullKind = 'list' | 'map' | 'pointer'

/** Carries a template out on a value. Throws a TemplateError where Go would. */
export function execute(template: ParsedTemplate, data: unknown, options: ExecuteOptions): string {
  const execution = new Execution(template, '', options)
  execution.run(template.nodes, data, [{ name: '$', value: data }])
  return execution.output.join('')
}

interface Variable {
  readonly name: string
  value: unknown
}

type Scope = Variable[]

/** What ends the walk through a list early. */
type Leave = 'break' | 'continue' | undefined

const MAX_DEPTH = 1000
const MAX_CONTEXT = 20

class Execution {
  readonly output: string[] = []
  readonly #template: ParsedTemplate
  readonly #name: string
  readonly #options: ExecuteOptions
  readonly #depth: number

  constructor(template: ParsedTemplate, name: string, options: ExecuteOptions, depth = 0) {
    this.#template = template
    this.#name = name
    this.#options = options
    this.#depth = depth
  }

  run(nodes: readonly Node[], dot: unknown, scope: Scope): Leave {
    const known = scope.length
    for (const node of nodes) {
      const leave = this.#node(node, dot, scope)
      if (leave === undefined) continue
      scope.length = known
      return leave
    }
    scope.length = known
    return undefined
  }

  #node(node: Node, dot: unknown, scope: Scope): Leave {
    switch (node.kind) {
      case 'text':
        this.output.push(node.text)
        return undefined
      case 'action': {
        const value = this.#pipe(node.pipe, dot, scope)
        if (node.pipe.variables.length === 0) this.output.push(showValue(value))
        return undefined
      }
      case 'break':
      case 'continue':
        return node.kind
      case 'template':
        return this.#include(node, dot, scope)
      case 'if':
      case 'with':
      case 'range':
        return this.#branch(node, dot, scope)
    }
  }

  #branch(node: Branch, dot: unknown, scope: Scope): Leave {
    const known = scope.length
    const value = this.#pipe(node.pipe, dot, scope)
    let leave: Leave
    if (node.kind === 'range') leave = this.#range(node, value, { dot, scope })
    else if (isTrue(value)) leave = this.run(node.list, node.kind === 'with' ? value : dot, scope)
    else leave = this.run(node.otherwise, dot, scope)
    scope.length = known
    return leave
  }

  #range(node: Branch, value: unknown, { dot, scope }: { readonly dot: unknown; readonly scope: Scope }): Leave {
    const items = value === null || value === undefined ? [] : itemsOf(value)
    if (items === undefined)
      throw this.#fail({ at: node.pipe.at, text: writePipe(node.pipe) }, `range can't iterate over ${showValue(value)}`)
    if (items.length === 0) return this.run(node.otherwise, dot, scope)
    const names = node.pipe.variables
    for (const [key, item] of items) {
      const known = scope.length
      const values = names.length === 2 ? [key, item] : [item]
      for (const [index, name] of names.entries()) this.#set(node.pipe, { name, value: values[index] }, scope)
      const leave = this.run(node.list, item, scope)
      scope.length = known
      if (leave === 'break') break
    }
    return undefined
  }

  #include(node: Extract<Node, { kind: 'template' }>, dot: unknown, scope: Scope): Leave {
    const place = { at: node.at, text: `{{template ${JSON.stringify(node.name)}}}` }
    const nodes = this.#template.defined.get(node.name)
    if (nodes === undefined) throw this.#fail(place, `template ${JSON.stringify(node.name)} not defined`)
    if (this.#depth >= MAX_DEPTH) throw this.#fail(place, 'exceeded maximum template depth (1000)')
    const data = node.pipe === undefined ? undefined : this.#pipe(node.pipe, dot, scope)
    const inner = new Execution(this.#template, node.name, this.#options, this.#depth + 1)
    inner.run(nodes, data, [{ name: '$', value: data }])
    for (const text of inner.output) this.output.push(text)
    return undefined
  }

  #pipe(pipe: Pipe, dot: unknown, scope: Scope): unknown {
    const value = pipe.commands.reduce<unknown>(
      (last, command, index) => this.#command(command, { dot, scope, last: index === 0 ? [] : [last] }),
      undefined,
    )
    const [name, second] = pipe.variables
    if (name !== undefined && second === undefined) this.#set(pipe, { name, value }, scope)
    return value
  }

  #set(pipe: Pipe, { name, value }: Variable, scope: Scope): void {
    const known = pipe.assigns ? scope.findLast((each) => each.name === name) : undefined
    if (known === undefined) scope.push({ name, value })
    else known.value = value
  }

  #command(command: Command, site: Site): unknown {
    const [first, ...others] = command.args
    if (first === undefined) return undefined
    const count = others.length + site.last.length
    if (first.kind === 'function') return this.#call(command, first.name, others, site)
    if (first.kind === 'field') return this.#fields(site.dot, first, { names: first.names, args: others, site })
    if (first.kind === 'variable' && first.names.length > 0)
      return this.#fields(this.#variable(first.name, site.scope), first, { names: first.names, args: others, site })
    if (first.kind === 'chain')
      return this.#fields(this.#operand(first.operand, site), first, { names: first.names, args: others, site })
    if (count > 0) throw this.#fail(placed(first), `can't give argument to non-function ${writeOperand(first)}`)
    if (first.kind === 'nil') throw this.#fail(placed(first), 'nil is not a command')
    return this.#operand(first, site)
  }

  #call(command: Command, name: string, args: readonly Operand[], site: Site): unknown {
    const place = { at: command.args[0]?.at ?? command.at, text: writeCommand(command) }
    const lazy = name === 'and' || name === 'or'
    const values: unknown[] = []
    for (const arg of args) {
      const value = this.#operand(arg, site)
      values.push(value)
      if (lazy && isTrue(value) === (name === 'or')) return value
    }
    try {
      return callFunction(name, [...values, ...site.last], { heading: this.#options.heading === true })
    } catch (error) {
      if (error instanceof ArgumentError) throw this.#fail({ at: place.at, text: name }, error.message)
      if (error instanceof Error && !(error instanceof TemplateError))
        throw this.#fail(place, `error calling ${name}: ${error.message}`)
      throw error
    }
  }

  #operand(operand: Operand, site: Site): unknown {
    const bare: Site = { ...site, last: [] }
    switch (operand.kind) {
      case 'dot':
        return site.dot
      case 'nil':
        return null
      case 'constant':
        return operand.value
      case 'pipe':
        return this.#pipe(operand.pipe, site.dot, site.scope)
      case 'field':
        return this.#fields(site.dot, operand, { names: operand.names, args: [], site: bare })
      case 'variable':
        return this.#fields(this.#variable(operand.name, site.scope), operand, {
          names: operand.names,
          args: [],
          site: bare,
        })
      case 'chain':
        return this.#fields(this.#operand(operand.operand, bare), operand, {
          names: operand.names,
          args: [],
          site: bare,
        })
      case 'function':
        return this.#call({ at: operand.at, args: [operand] }, operand.name, [], bare)
    }
  }

  #variable(name: string, scope: Scope): unknown {
    return scope.findLast((each) => each.name === name)?.value
  }

  /** One field after the other; the last may be a method with arguments. */
  #fields(
    receiver: unknown,
    operand: Operand,
    {
      names,
      args,
      site,
    }: { readonly names: readonly string[]; readonly args: readonly Operand[]; readonly site: Site },
  ): unknown {
    const inner = names.slice(0, -1).reduce<Found>((found, name) => this.#field(found, name, operand), {
      value: receiver,
      top: true,
    })
    const last = names.at(-1)
    if (last === undefined) return receiver
    const method = methodOf(inner.value, last)
    if (method !== undefined) for (const arg of args) this.#checkText(arg)
    const values = [...args.map((arg) => this.#operand(arg, { ...site, last: [] })), ...site.last]
    if (method !== undefined) return this.#method(operand, method, { name: last, values })
    const found = this.#field(inner, last, operand)
    if (values.length === 0) return found.value
    throw this.#fail(
      placed(operand),
      isView(inner.value)
        ? `wrong number of args for ${last}: want 0 got ${values.length}`
        : `${last} is not a method but has arguments`,
    )
  }

  /** A literal of another kind is refused at its own place. */
  #checkText(arg: Operand): void {
    if (arg.kind === 'constant' && typeof arg.value !== 'string')
      throw this.#fail(placed(arg), `expected string; found ${arg.text}`)
  }

  #method(
    operand: Operand,
    method: (...args: readonly string[]) => unknown,
    { name, values }: { readonly name: string; readonly values: readonly unknown[] },
  ): unknown {
    if (values.length !== method.length)
      throw this.#fail(placed(operand), `wrong number of args for ${name}: want ${method.length} got ${values.length}`)
    const texts = values.map((value) => {
      if (typeof value === 'string') return value
      throw this.#fail(placed(operand), `wrong type for value; expected string; got ${typeOf(value)}`)
    })
    return method(...texts)
  }

  #field({ value, top }: Found, name: string, operand: Operand): Found {
    const place = placed(operand)
    // behind a key that an open map has not
    if (value === undefined && !top && this.#options.open) return { value: undefined, top: false }
    if (value === undefined || value === null || value === NIL_POINTER) {
      const what =
        top && value !== NIL_POINTER
          ? `nil data; no entry for key ${JSON.stringify(name)}`
          : `nil pointer evaluating interface {}.${name}`
      throw this.#fail(place, what)
    }
    if (isView(value)) {
      if (Object.hasOwn(value.fields, name))
        return { value: this.#typed(this.#orEmpty(value.fields[name], name), name), top: true }
      throw this.#fail(place, `can't evaluate field ${name} in type ${value.type}`)
    }
    if (!isMap(value)) {
      const type = top || isView(value) ? typeOf(value) : 'interface {}'
      throw this.#fail(place, `can't evaluate field ${name} in type ${type}`)
    }
    return { value: this.#member(value, name, place), top: false }
  }

  #member(map: Readonly<Record<string, unknown>>, name: string, place: Place): unknown {
    if (Object.hasOwn(map, name)) return this.#typed(this.#orEmpty(map[name], name), name)
    const empty = this.#orEmpty(null, name, true)
    if (empty !== null) return this.#typed(empty, name)
    if (this.#options.strict === true && !isOpen(map))
      throw this.#fail(place, `map has no entry for key ${JSON.stringify(name)}`)
    return undefined
  }

  #typed(value: unknown, name: string): unknown {
    if (!isMap(value)) return value
    if (this.#options.texts?.has(name) === true) return asTexts(value)
    return this.#options.open?.has(name) === true && value !== NIL_MAP ? asOpen(value) : value
  }

  #orEmpty(value: unknown, name: string, absent = false): unknown {
    if (value !== null) return value
    const kind = this.#options.nullOf?.(name, absent)
    if (kind === undefined) return value
    if (kind === 'pointer') return NIL_POINTER
    return kind === 'list' ? NIL_LIST : NIL_MAP
  }

  #fail({ at, text }: Place, message: string): TemplateError {
    const { line, column } = placeOf(this.#template.text, at)
    const short = text.length > MAX_CONTEXT ? `${text.slice(0, MAX_CONTEXT)}...` : text
    const name = JSON.stringify(this.#name)
    return new TemplateError('execution', `template: :${line}:${column}: executing ${name} at <${short}>: ${message}`)
  }
}

/** Where in the template, for complaints. */
interface Place {
  readonly at: number
  readonly text: string
}

interface Site {
  readonly dot: unknown
  readonly scope: Scope
  /** What the command before gave, if any. */
  readonly last: readonly unknown[]
}

interface Found {
  readonly value: unknown
  /** The value itself, not a field of another. */
  readonly top: boolean
}

function placed(operand: Operand): { readonly at: number; readonly text: string } {
  return { at: operand.at, text: writeOperand(operand) }
}

function methodOf(value: unknown, name: string): ((...args: readonly string[]) => unknown) | undefined {
  return isView(value) && Object.hasOwn(value.methods, name) ? value.methods[name] : undefined
}
