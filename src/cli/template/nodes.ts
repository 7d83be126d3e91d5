/** Something whose place an error names. `at`: offset in the template. */
interface Placed {
  readonly at: number
}

export type Operand = Placed &
  (
    | { readonly kind: 'dot' }
    | { readonly kind: 'nil' }
    | { readonly kind: 'field'; readonly names: readonly string[] }
    | { readonly kind: 'variable'; readonly name: string; readonly names: readonly string[] }
    | { readonly kind: 'chain'; readonly operand: Operand; readonly names: readonly string[] }
    | { readonly kind: 'function'; readonly name: string }
    | { readonly kind: 'constant'; readonly value: string | number | boolean; readonly text: string }
    | { readonly kind: 'pipe'; readonly pipe: Pipe }
  )

export interface Command extends Placed {
  readonly args: readonly Operand[]
}

export interface Pipe extends Placed {
  readonly variables: readonly string[]
  /** `=`, not `:=`. */
  readonly assigns: boolean
  readonly commands: readonly Command[]
}

export interface Branch extends Placed {
  readonly kind: 'if' | 'with' | 'range'
  readonly pipe: Pipe
  readonly list: readonly Node[]
  readonly otherwise: readonly Node[]
}

export type Node =
  | (Placed & { readonly kind: 'text'; readonly text: string })
  | (Placed & { readonly kind: 'action'; readonly pipe: Pipe })
  | Branch
  | (Placed & { readonly kind: 'break' | 'continue' })
  | (Placed & { readonly kind: 'template'; readonly name: string; readonly pipe?: Pipe })

/** As Go writes a part of a template in its errors. */
export function writeOperand(operand: Operand): string {
  switch (operand.kind) {
    case 'dot':
      return '.'
    case 'nil':
      return 'nil'
    case 'field':
      return names(operand.names)
    case 'variable':
      return operand.name + names(operand.names)
    case 'chain': {
      const inner = writeOperand(operand.operand)
      return inner + names(operand.names)
    }
    case 'function':
      return operand.name
    case 'constant':
      return operand.text
    case 'pipe':
      return `(${writePipe(operand.pipe)})`
  }
}

export function writeCommand(command: Command): string {
  return command.args.map(writeOperand).join(' ')
}

export function writePipe(pipe: Pipe): string {
  const declared = pipe.variables.length === 0 ? '' : `${pipe.variables.join(', ')} ${pipe.assigns ? '=' : ':='} `
  return declared + pipe.commands.map(writeCommand).join(' | ')
}

const names = (all: readonly string[]): string => all.map((name) => `.${name}`).join('')
