import { EngineError } from '#base'
import { shortestPrefix, longestPrefix, replaceMatches } from './shell-pattern.ts'

/** Where variables are looked up; undefined is «not set», which some modifiers tell from empty. */
export type Variables = (name: string) => string | undefined

export interface LexOptions {
  readonly escape?: '\\' | '`'
  /** Quotes are kept in the outcome. */
  readonly rawQuotes?: boolean
  /** Escape characters are kept in the outcome. */
  readonly rawEscapes?: boolean
  /** Quotes mean nothing (texts of heredocs). */
  readonly plainQuotes?: boolean
  /** A variable that is not set stays as it was written. */
  readonly keepUnset?: boolean
}

/** What the lexer found: the expanded text, its words, and the variables that were asked for and not set. */
export interface Expansion {
  readonly text: string
  readonly words: readonly string[]
  readonly unset: readonly string[]
}

/** A text that cannot be expanded; callers add where it stands. */
export class ExpansionError extends EngineError {
  constructor(message: string) {
    super('invalid', message)
    this.name = 'ExpansionError'
  }
}

/**
 * Expands variables and takes quotes and escapes away, as the Dockerfile reference says («Environment replacement»):
 * `$v`, `${v}`, `:-` `-` `:+` `+` `:?` `?`, `#` `##` `%` `%%`, `/` `//`. Throws `ExpansionError`.
 */
export function expand(text: string, variables: Variables, options: LexOptions = {}): Expansion {
  const lexer = new Lexer(text, variables, options)
  const expanded = lexer.run()
  return { text: expanded, words: lexer.words, unset: lexer.unset }
}

/** A `${` inside a `${` … deeper than this is refused, so that no text can exhaust the stack. */
const MAX_DEPTH = 200
const SPECIAL = '@*#?-$!0'

class Lexer {
  readonly words: string[] = []
  readonly unset: string[] = []
  readonly #text: string
  readonly #variables: Variables
  readonly #options: LexOptions
  readonly #escape: string
  #at = 0
  #word: string[] = []
  #inWord = false
  #depth = 0
  /** Words are only gathered at the top: what a modifier's own text holds comes back as one value. */
  #gather = true

  constructor(text: string, variables: Variables, options: LexOptions) {
    this.#text = text
    this.#variables = variables
    this.#options = options
    this.#escape = options.escape ?? '\\'
  }

  run(): string {
    const text = this.#until(undefined, this.#options.rawEscapes ?? false)
    this.#endWord()
    return text
  }

  #peek(): string {
    return this.#text.charAt(this.#at)
  }

  #next(): string {
    const char = this.#text.charAt(this.#at)
    this.#at += 1
    return char
  }

  get #ended(): boolean {
    return this.#at >= this.#text.length
  }

  /** Up to `stop` (taken, not part of the outcome) or the end of the text where `stop` is undefined. */
  #until(stop: string | undefined, rawEscapes: boolean): string {
    const parts: string[] = []
    while (!this.#ended) {
      const char = this.#peek()
      if (char === stop) {
        this.#at += 1
        return parts.join('')
      }
      parts.push(this.#piece(char, rawEscapes))
    }
    if (stop !== undefined) throw new ExpansionError(`unexpected end of statement while looking for matching ${stop}`)
    return parts.join('')
  }

  #piece(char: string, rawEscapes: boolean): string {
    const quoting = this.#options.plainQuotes !== true
    if (char === '$') return this.#spread(this.#dollar())
    if (char === "'" && quoting) return this.#solid(this.#singleQuoted())
    if (char === '"' && quoting) return this.#solid(this.#doubleQuoted(rawEscapes))
    this.#at += 1
    if (char !== this.#escape) return this.#spread(char)
    const escaped = this.#next()
    return this.#solid(rawEscapes ? char + escaped : escaped)
  }

  #singleQuoted(): string {
    const close = this.#text.indexOf("'", this.#at + 1)
    if (close < 0) throw new ExpansionError('unexpected end of statement while looking for matching single-quote')
    const inside = this.#text.slice(this.#at + 1, close)
    this.#at = close + 1
    return this.#options.rawQuotes ? `'${inside}'` : inside
  }

  #doubleQuoted(rawEscapes: boolean): string {
    const parts = [this.#options.rawQuotes ? '"' : '']
    this.#at += 1
    while (!this.#ended) {
      const char = this.#peek()
      if (char === '"') {
        this.#at += 1
        return parts.join('') + (this.#options.rawQuotes ? '"' : '')
      }
      parts.push(char === '$' ? this.#dollar() : this.#inDoubleQuotes(rawEscapes))
    }
    throw new ExpansionError('unexpected end of statement while looking for matching double-quote')
  }

  /** Within double quotes only `"`, `$` and the escape character itself can be escaped. */
  #inDoubleQuotes(rawEscapes: boolean): string {
    const char = this.#next()
    if (char !== this.#escape || this.#ended) return char
    const following = this.#peek()
    if (following !== '"' && following !== '$' && following !== this.#escape) return char
    this.#at += 1
    return rawEscapes ? char + following : following
  }

  #dollar(): string {
    this.#at += 1
    if (this.#peek() === '{') return this.#braces()
    const name = this.#name()
    if (name === '') return '$'
    return this.#value(name) ?? (this.#options.keepUnset ? `$${name}` : '')
  }

  #braces(): string {
    this.#at += 1
    if (this.#ended) throw new ExpansionError("syntax error: missing '}'")
    if ('{}:'.includes(this.#peek())) throw new ExpansionError('syntax error: bad substitution')
    const name = this.#name()
    const operator = this.#next()
    if (operator === '}') return this.#value(name) ?? (this.#options.keepUnset ? `\${${name}}` : '')
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new ExpansionError('substitutions are nested too deep')
    const gathered = this.#gather
    this.#gather = false
    const outcome = operator === '/' ? this.#replace(name) : this.#modify(name, operator)
    this.#gather = gathered
    this.#depth -= 1
    return outcome
  }

  #modify(name: string, first: string): string {
    const colon = first === ':'
    const operator = colon ? this.#next() : first
    const written = colon ? first + operator : first
    const trims = operator === '#' || operator === '%'
    checkModifier(operator, written)
    const word = this.#inside('}', trims, "syntax error: missing '}'")
    const raw = this.#value(name)
    const value = colon && raw === '' ? undefined : raw
    if (value === undefined && this.#options.keepUnset) return `\${${name}${written}${word}}`
    if (trims) return trimmed(value ?? '', operator, word)
    return chosen({ name, operator, word, value, raw })
  }

  #replace(name: string): string {
    const all = this.#peek() === '/'
    if (all) this.#at += 1
    const pattern = this.#inside('/', true, "syntax error: missing '/' in ${}")
    const replacement = this.#inside('}', true, "syntax error: missing '}'")
    const value = this.#value(name)
    if (value === undefined && this.#options.keepUnset) return `\${${name}${all ? '//' : '/'}${pattern}/${replacement}}`
    return replaceMatches(value ?? '', pattern, replacement, all)
  }

  #inside(stop: string, rawEscapes: boolean, whenMissing: string): string {
    try {
      return this.#until(stop, rawEscapes)
    } catch (error) {
      if (error instanceof ExpansionError && this.#ended) throw new ExpansionError(whenMissing)
      throw error
    }
  }

  /** Letters, digits and `_`; digits alone where it begins with one; or one of the shell's special parameters. */
  #name(): string {
    const start = this.#at
    if (isDigit(this.#peek())) while (isDigit(this.#peek())) this.#at += 1
    else if (!this.#ended && SPECIAL.includes(this.#peek())) this.#at += 1
    else while (isNameCharacter(this.#peek())) this.#at += 1
    return this.#text.slice(start, this.#at)
  }

  #value(name: string): string | undefined {
    const value = this.#variables(name)
    if (value === undefined && name !== '') this.unset.push(name)
    return value
  }

  /** Text whose blanks part words. */
  #spread(text: string): string {
    if (this.#gather)
      for (const char of text) {
        if (isSpace(char)) this.#endWord()
        else this.#solid(char)
      }
    return text
  }

  /** Text that is part of one word, whatever it holds. */
  #solid(text: string): string {
    if (this.#gather) {
      this.#word.push(text)
      this.#inWord = true
    }
    return text
  }

  #endWord(): void {
    const word = this.#word.join('')
    if (this.#inWord && word !== '') this.words.push(word)
    this.#word = []
    this.#inWord = false
  }
}

function checkModifier(operator: string, written: string): void {
  if (operator === '') throw new ExpansionError("syntax error: missing '}'")
  const known = '+-?#%'.includes(operator) && written !== ':#' && written !== ':%'
  if (!known) throw new ExpansionError(`unsupported modifier (${written}) in substitution`)
}

interface Choice {
  readonly name: string
  readonly operator: string
  readonly word: string
  /** Undefined too where it is empty and the modifier has a colon. */
  readonly value: string | undefined
  readonly raw: string | undefined
}

function chosen({ name, operator, word, value, raw }: Choice): string {
  if (operator === '-') return value ?? word
  if (operator === '+') return value === undefined ? '' : word
  if (value !== undefined) return value
  const reason = raw === undefined ? 'is not allowed to be unset' : 'is not allowed to be empty'
  throw new ExpansionError(`${name}: ${word === '' ? reason : word}`)
}

function trimmed(value: string, operator: string, word: string): string {
  const longest = word.startsWith(operator)
  const pattern = longest ? word.slice(1) : word
  const measure = longest ? longestPrefix : shortestPrefix
  if (operator === '#') return value.slice(measure(value, pattern, 'forward'))
  return value.slice(0, value.length - measure(value, pattern, 'backward'))
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char !== ''
}

const NAME = /^[\p{L}\p{Nd}_]$/u

function isNameCharacter(char: string): boolean {
  return char !== '' && NAME.test(char)
}

const SPACE = /^[\s\u0085]$/

export function isSpace(char: string): boolean {
  return SPACE.test(char)
}
